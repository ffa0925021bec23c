#!/usr/bin/python3
"""The second implementation as a live client: handshakes, resumptions and mistakes over TCP.

    /usr/bin/python3 test/vectors/live_client.py PORT FINGERPRINT COUNT SEED

COUNT handshakes against the endpoint `localhost` that listens on PORT, each with people, keys,
tickets and mistakes drawn by chance, and as many first messages with bytes changed by chance, of
which both implementations must think the same. Prints `N passed, N failed`.
"""
import random
import socket
import sys
from types import SimpleNamespace

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

# No folder of compiled files beside the vectors.
sys.dont_write_bytecode = True

import check as py
from check import CLEAR, Client, Refused, check, lp, u

PORT, PIN, COUNT, SEED = int(sys.argv[1]), bytes.fromhex(sys.argv[2]), *map(int, sys.argv[3:5])
HOST = 'localhost'
PATIENCE_S = 20
APP, ALERT, CLOSE, PING, PONG = 1, 3, 4, 5, 6
SEALED = {3: 'decode_error', 5: 'bad_record', 6: 'unexpected_message', 7: 'limit'}
chance = random.Random(SEED)


class Line:
    """Frames over TCP."""

    def __init__(self):
        self.socket = socket.create_connection(('127.0.0.1', PORT), PATIENCE_S)
        self.file = self.socket.makefile('rb')

    def send(self, frame):
        self.socket.sendall(lp(4, frame))

    def next(self):
        """None at the end of the stream."""
        head = self.file.read(4)
        return self.file.read(int.from_bytes(head, 'big')) if len(head) == 4 else None

    def close(self):
        self.file.close()
        self.socket.close()


class Session:
    """Records in both directions under the first keys."""

    def __init__(self, line, out):
        self.line, self.ours, self.theirs = line, *(bytes.fromhex(out[k]) for k in ('c_ap', 's_ap'))
        self.sent = self.received = 0

    def seal(self, content, payload=b''):
        self.sent += 1
        return py.seal_record(self.ours, self.sent - 1, content, payload)

    def send(self, content, payload=b''):
        self.line.send(self.seal(content, payload))

    def until(self, content, begins=b''):
        """The payload of the next record of this kind, others passed over; an alert is thrown."""
        while True:
            frame = self.line.next()
            if frame is None:
                raise Refused('cut')
            if len(frame) == 2:
                py.refuse_alert(frame)
            kind, payload = py.open_record(self.theirs, self.received, frame)
            self.received += 1
            if kind == ALERT:
                raise Refused('sealed ' + SEALED.get(payload[0], str(payload[0])))
            if kind == content and payload.startswith(begins):
                return payload

    def alive(self):
        self.send(PING)
        self.until(PONG)

    def register(self):
        self.send(APP, b'\0\xa2bid\x01bophregister')
        self.until(APP, b'\0\xa1bre\x01')

    def close(self):
        """In order: after it the endpoint ends the connection, and says nothing more."""
        self.send(CLOSE, u(1, 0) + (u(8, self.received - 1) if self.received else b'\xff' * 8))
        while self.line.next() is not None:
            pass
        self.line.close()


# --- People ---------------------------------------------------------------------------------------


def person(user, pem):
    key = serialization.load_pem_private_key(pem.encode(), None)
    der = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return SimpleNamespace(
        user=user,
        client=key,
        spki_c=key.public_key().public_bytes(*der),
        host=HOST,
        T0=py.transcript(HOST),
        pin=PIN,
        device=chance.randbytes(16),
        psk=None,
    )


KEYS = py.load('identity_keys.json')['keys']
NAMES = [('Zoë', 'rsa2048'), ('bob', 'rsa2048'), ('李雷', 'rsa3072'), ("O'Neil", 'rsa3072')]
NAMES += [('Ωμέγα 7', 'rsa4096'), ('d' * 32, 'rsa4096')]
PEOPLE = [person(user, KEYS[key]) for user, key in NAMES]


def inputs():
    sizes = {'clientRandom': 32, 'x25519Client': 32, 'oaepSeed': 32, 'ss': 32, 'pssSalt': 32}
    return {name: chance.randbytes(size) for name, size in sizes.items()}


class Honest(Client):
    def sign(self, data):
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
        return self.w.client.sign(data, pss, hashes.SHA256())


def shake(who, kind=Honest, psk=None, m1=lambda m1: m1, m3=lambda m3: m3):
    """Runs a handshake to its end. Throws Refused with the clear alert, or `cut`."""
    line, client = Line(), kind(who, inputs(), psk)
    line.send(m1(client.m1))
    m2 = line.next()
    if m2 is None:
        raise Refused('cut')
    sent = m3(client.take_m2(m2))
    line.send(sent)
    if client.out is None:
        m4 = line.next()
        if m4 is None:
            raise Refused('cut')
        client.out, mode = client.take_m4(m4), 'full'
    else:
        mode = 'resumed'
    return Session(line, client.out), client, mode


def enter(who, psk=None):
    """A session as honest as it can be: greeted, registered where that is asked, still alive."""
    session, client, mode = shake(who, psk=psk)
    status, account = client.params[0], client.params[18 : 18 + client.params[17]]
    check('account', account.decode(), who.user)
    check('status', status in (0, 1), True)
    if status == 1:
        session.register()
    session.alive()
    who.psk = bytes.fromhex(client.out['resumption'])
    return session, mode


def outcome(work):
    try:
        work()
        return 'accepted'
    except Refused as error:
        return str(error)


# --- What is played -------------------------------------------------------------------------------


def full(who):
    session, mode = enter(who)
    check('without a ticket', mode, 'full')
    session.close()


def resumed(who):
    """Twice: the second time by the ticket of the first resumption. The first is used up then."""
    first = who.psk
    if first is None:
        return full(who)
    for psk in (first, None):
        session, mode = enter(who, psk or who.psk)
        check('with a ticket', mode, 'resumed')
        session.close()
    session, mode = enter(who, first)
    check('with a used ticket', mode, 'full')
    session.close()


def spoilt(data, at=None):
    at = chance.randrange(len(data)) if at is None else at
    return data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :]


class WrongLabel(Honest):
    def label(self, T3):
        return super().label(spoilt(T3))


class WrongSignature(Honest):
    def sign(self, data):
        return spoilt(super().sign(data))


class SignsSomethingElse(Honest):
    def sign(self, data):
        return super().sign(spoilt(data))


class WrongFinish(Honest):
    def fin_c(self, secret, T):
        return spoilt(super().fin_c(secret, T))


class PaddedTwice(Honest):
    def padded(self, content):
        return super().padded(content) + bytes(1536)


class DirtyPadding(Honest):
    def padded(self, content):
        return super().padded(content)[:-1] + b'\x01'


def refused_proof(who):
    kinds = [WrongLabel, WrongSignature, SignsSomethingElse, WrongFinish, PaddedTwice, DirtyPadding]
    kind = chance.choice(kinds)
    check(kind.__name__, outcome(lambda: shake(who, kind)), 'handshake_failed')


def refused_bytes(who):
    got = outcome(lambda: shake(who, m3=spoilt))
    check('a bit of M3', got, 'handshake_failed')


def refused_name(who):
    """Somebody else's name, and a key outside the template."""
    other = chance.choice([one for one in PEOPLE if one.spki_c != who.spki_c])
    stolen = SimpleNamespace(**{**vars(who), 'client': other.client, 'spki_c': other.spki_c})
    check('another key', outcome(lambda: shake(stolen)), 'handshake_failed')
    odd = SimpleNamespace(**{**vars(who), 'spki_c': who.spki_c[:-1] + b'\x03'})
    check('exponent 3', outcome(lambda: shake(odd)), 'handshake_failed')


def refused_host(who):
    away = SimpleNamespace(**{**vars(who), 'host': 'elsewhere', 'T0': py.transcript('elsewhere')})
    check('another host', outcome(lambda: shake(away)), 'crypto_failed')


def refused_resumption(who):
    """A wrong binder is as no ticket, a wrong fin_c an alert, and neither uses the ticket up."""
    psk = who.psk
    if psk is None:
        return full(who)
    line, client = Line(), Honest(who, inputs(), psk)
    line.send(client.m1[:-32] + spoilt(client.m1[-32:]))
    check('a wrong binder', line.next()[70], 0)
    line.close()
    session, _, mode = shake(who, WrongFinish, psk)
    check('mode', mode, 'resumed')
    check('a wrong fin_c', outcome(lambda: session.until(PONG)), 'handshake_failed')
    session.line.close()
    session, mode = enter(who, psk)
    check('the ticket after that', mode, 'resumed')
    session.close()


def refused_record(who):
    def changed(session):
        frame = session.seal(PING)
        return [spoilt(frame, chance.randrange(4, len(frame)))]

    def twice(session):
        return [session.seal(PING)] * 2

    def skipped(session):
        session.seal(PING)
        return [session.seal(PING)]

    def unasked(session):
        return [session.seal(PONG)]

    def not_empty(session):
        return [session.seal(PING, b'x')]

    def unknown(session):
        return [session.seal(7)]

    wants = {
        changed: 'bad_record',
        twice: 'bad_record',
        skipped: 'bad_record',
        unasked: 'unexpected_message',
        not_empty: 'decode_error',
        unknown: 'decode_error',
    }
    kind = chance.choice(list(wants))
    session, _ = enter(who, who.psk)
    for frame in kind(session):
        session.line.send(frame)
    check(f'record: {kind.__name__}', outcome(lambda: session.until(CLOSE)), f'sealed {wants[kind]}')
    session.line.close()


def first_message(who):
    """An M1 with bytes changed, cut off, put in or repeated: what do the two make of it?"""
    m1 = Honest(who, inputs()).m1
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(m1))
        kind = chance.randrange(5)
        if kind == 0:
            m1 = m1[:at] + chance.randbytes(1) + m1[at:]
        elif kind == 1:
            m1 = m1[:at] + m1[at + 1 :]
        elif kind == 2:
            # Another list of suites, with a length that is right.
            m1 = m1[:2] + lp(1, u(2, chance.randrange(3)) * chance.randrange(3)) + m1[5:]
        else:
            # Anywhere, or where something is chosen.
            m1 = spoilt(m1, chance.choice([at, chance.randrange(5), chance.randrange(37, 45)]))
    ours = 'accepted'
    try:
        _, share, _, _ = py.read_m1(m1)
        py.agree(py.X25519PrivateKey.generate(), share)
    except Refused as error:
        # Codes without an alert of their own are told as handshake_failed.
        ours = str(error) if str(error) in CLEAR.values() else 'handshake_failed'
    line = Line()
    line.send(m1)
    frame = line.next()
    theirs = CLEAR[frame[1]] if len(frame) == 2 else 'accepted'
    check(f'M1 {m1.hex()}', theirs, ours)
    line.close()


PLAYED = [full, resumed, refused_proof, refused_bytes, refused_name, refused_host]
PLAYED += [refused_resumption, refused_record]


def main():
    for who in PEOPLE:
        full(who)
    for i in range(COUNT):
        play = chance.choice(PLAYED)
        who = chance.choice(PEOPLE)
        try:
            play(who)
        except (OSError, Refused, ValueError) as error:
            check(f'{play.__name__} {i} of seed {SEED}', repr(error), 'no error')
        first_message(who)
    py.finish()


main()
