#!/usr/bin/python3
"""The second implementation: recomputes every vector of the handshake, records, alerts and casts.

Written from PROTOCOL.md alone, on Python's standard library and Debian's python3-cryptography.
Random parts that `cryptography` does not let one choose (the PSS salt, the OAEP seed) are built
here by RFC 8017. Prints `N passed, N failed` and exits with 0 when nothing failed.
"""
import hashlib
import hmac
import json
import os
import sys
import unicodedata

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

HERE = os.path.dirname(os.path.abspath(__file__))
RAW = (serialization.Encoding.Raw, serialization.PublicFormat.Raw)
passed = failed = 0


def load(name):
    with open(os.path.join(HERE, name), encoding='utf-8') as file:
        return json.load(file)


def check(what, got, want):
    global passed, failed
    got = got.hex() if isinstance(got, bytes) else got
    if got == want:
        passed += 1
    else:
        failed += 1
        print(f'FAILED {what}\n  got  {str(got)[:200]}\n  want {str(want)[:200]}')


class Refused(Exception):
    """A message that must not be accepted, with the code of the error."""


# --- Notation -----------------------------------------------------------------------------------

Z = bytes(32)


def H(*parts):
    return hashlib.sha256(b''.join(parts)).digest()


def mac(key, *parts):
    return hmac.new(key, b''.join(parts), hashlib.sha256).digest()


def u(size, value):
    return value.to_bytes(size, 'big')


def lp(size, x):
    return u(size, len(x)) + x


def drv(s, label, ctx=b''):
    return mac(s, b'\x00\x20', lp(1, b'sotto1 ' + label.encode()), lp(1, ctx), b'\x01')


def ext(salt, ikm):
    return mac(salt, ikm)


def key_iv(s):
    return AESGCM(drv(s, 'key')), drv(s, 'iv')[:12]


def seal1(s, aad, m):
    aead, iv = key_iv(s)
    return aead.encrypt(iv, m, aad)


def open1(s, aad, sealed):
    aead, iv = key_iv(s)
    try:
        return aead.decrypt(iv, sealed, aad)
    except (InvalidTag, ValueError) as error:
        raise Refused('crypto_failed') from error


def ab(T, kind, body):
    return H(T, u(1, kind), u(4, len(body)), body)


def finished(s, T):
    return mac(drv(s, 'finished'), T)


def transcript(host):
    return H(b'sotto1 transcript\x00', lp(1, host.encode()))


def nonce(iv, counter):
    return bytes(a ^ b for a, b in zip(iv, u(12, counter)))


# --- RSA with a chosen salt or seed (RFC 8017) ----------------------------------------------------


def mgf1(seed, length):
    out = b''.join(H(seed, u(4, i)) for i in range(length // 32 + 1))
    return out[:length]


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


def sign_pss(private, salt, data):
    n = private.private_numbers()
    size = private.key_size // 8
    digest = H(bytes(8), H(data), salt)
    block = bytes(size - 34 - 32) + b'\x01' + salt
    masked = bytearray(xor(block, mgf1(digest, len(block))))
    masked[0] &= 0x7F
    encoded = int.from_bytes(bytes(masked) + digest + b'\xbc', 'big')
    return pow(encoded, n.d, n.public_numbers.n).to_bytes(size, 'big')


def encrypt_oaep(public, seed, label, message):
    n = public.public_numbers()
    size = public.key_size // 8
    block = H(label).ljust(size - 34 - len(message), b'\x00') + b'\x01' + message
    masked = xor(block, mgf1(seed, len(block)))
    masked_seed = xor(seed, mgf1(masked, 32))
    return pow(int.from_bytes(masked_seed + masked, 'big'), n.e, n.n).to_bytes(size, 'big')


def decrypt_oaep(private, label, ct):
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), label)
    try:
        return private.decrypt(ct, oaep)
    except ValueError:
        return None


def verify_pss(spki, sig, data):
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    try:
        serialization.load_der_public_key(spki).verify(sig, data, pss, hashes.SHA256())
        return True
    except InvalidSignature:
        return False


HEADS = {
    2048: '30820122300d06092a864886f70d01010105000382010f003082010a0282010100',
    3072: '308201a2300d06092a864886f70d01010105000382018f003082018a0282018100',
    4096: '30820222300d06092a864886f70d01010105000382020f003082020a0282020100',
}


def spki_fits(spki, least):
    for bits, head in HEADS.items():
        head = bytes.fromhex(head)
        modulus, tail = spki[len(head):-5], spki[-5:]
        if len(modulus) == bits // 8 and bits >= least:
            good = spki.startswith(head) and tail == bytes.fromhex('0203010001')
            return good and modulus[0] >= 0x80 and modulus[-1] & 1 == 1
    return False


def agree(private, share):
    if len(share) != 32 or share == private.public_key().public_bytes(*RAW):
        raise Refused('illegal_parameter')
    try:
        z = private.exchange(X25519PublicKey.from_public_bytes(share))
    except ValueError as error:
        raise Refused('illegal_parameter') from error
    if z == Z:
        raise Refused('illegal_parameter')
    return z


# --- Messages -------------------------------------------------------------------------------------


class Reader:
    def __init__(self, data):
        self.data = data

    def take(self, size):
        if size > len(self.data):
            raise Refused('decode_error')
        out, self.data = self.data[:size], self.data[size:]
        return out

    def uint(self, size):
        return int.from_bytes(self.take(size), 'big')

    def lp(self, size):
        return self.take(self.uint(size))

    def end(self):
        if self.data:
            raise Refused('decode_error')


def message(data):
    if len(data) > 4096:
        raise Refused('decode_error')
    return Reader(data)


CLEAR = {0: 'protocol_version', 1: 'busy', 2: 'handshake_failed', 3: 'decode_error', 4: 'no_such_host'}


def refuse_alert(frame):
    if len(frame) == 2 and frame[0] == 0x15:
        raise Refused(CLEAR.get(frame[1], 'decode_error'))


def m1_of(random, share, ticket_id=b'', binder=b''):
    shares = u(2, 0x1D) + lp(2, share)
    return u(2, 1) + lp(1, u(2, 1)) + random + lp(2, shares) + lp(1, ticket_id) + lp(1, binder)


def read_m1(m1):
    r = message(m1)
    if r.uint(2) != 1:
        raise Refused('protocol_version')
    suites, random, shares, groups = Reader(r.lp(1)), None, None, {}
    listed = []
    while suites.data:
        listed.append(suites.uint(2))
    random, shares = r.take(32), Reader(r.lp(2))
    while shares.data:
        group = shares.uint(2)
        if group in groups:
            raise Refused('decode_error')
        groups[group] = shares.lp(2)
    ticket_id, binder = r.lp(1), r.lp(1)
    r.end()
    if not listed or not groups or (len(ticket_id), len(binder)) not in ((0, 0), (16, 32)):
        raise Refused('decode_error')
    if 1 not in listed or 0x1D not in groups:
        raise Refused('handshake_failed')
    return random, groups[0x1D], ticket_id, binder


def pad(content, step):
    content += b'\x80'
    return content + bytes(-len(content) % step)


def bucket(length):
    needed = length + 2
    step = 256 if needed <= 4096 else 1024
    return -(-needed // step) * step


# --- Key schedule of a handshake ------------------------------------------------------------------


class Keys:
    """Everything from z on, the same at both sides."""

    def __init__(self, es, z, T2):
        self.hs = ext(drv(es, 'derived'), z)
        self.s_hs, self.c_hs = drv(self.hs, 's hs', T2), drv(self.hs, 'c hs', T2)

    def auth(self, ss, T4):
        self.as_ = ext(drv(self.hs, 'derived'), ss)
        self.c_au, self.s_au = drv(self.as_, 'c au', T4), drv(self.as_, 's au', T4)


def master(last, T):
    ms = ext(drv(last, 'derived'), Z)
    psk = drv(ms, 'resumption', T)
    return {
        'c_ap': drv(ms, 'c ap', T).hex(),
        's_ap': drv(ms, 's ap', T).hex(),
        'exporter': drv(ms, 'exporter', T).hex(),
        'resumption': psk.hex(),
        'ticket_id': drv(psk, 'ticket id')[:16].hex(),
        'T_final': T.hex(),
    }


FULL = ext(Z, Z)


def binder_of(psk, T0, unbound):
    early = drv(psk, 'early')
    return finished(drv(early, 'binder'), ab(T0, 1, unbound))


class World:
    """The fixed parts of a vector file."""

    def __init__(self, file):
        keys = load('keys.json')
        der = serialization.load_der_private_key
        self.client = der(bytes.fromhex(keys['client']['pkcs8']), None)
        self.server = der(bytes.fromhex(keys['server']['pkcs8']), None)
        self.spki_c = bytes.fromhex(keys['client']['spki'])
        self.spki_s = bytes.fromhex(keys['server']['spki'])
        self.pin = H(self.spki_s)
        self.host, self.user = file['host'], file['user']
        self.device, self.params = bytes.fromhex(file['device']), bytes.fromhex(file['params'])
        self.T0 = transcript(self.host)


class Client:
    def __init__(self, world, inputs, psk=None):
        self.w, self.i, self.psk, self.out = world, inputs, psk, None
        self.pair = X25519PrivateKey.from_private_bytes(inputs['x25519Client'])
        share = self.pair.public_key().public_bytes(*RAW)
        self.m1 = m1_of(inputs['clientRandom'], share)
        if psk is not None:
            ticket_id = drv(psk, 'ticket id')[:16]
            unbound = m1_of(inputs['clientRandom'], share, ticket_id)
            self.m1 = unbound[:-1] + lp(1, binder_of(psk, world.T0, unbound))
        self.hashes = [world.T0, ab(world.T0, 1, self.m1)]

    def note(self, kind, body):
        self.hashes.append(ab(self.hashes[-1], kind, body))
        return self.hashes[-1]

    def take_m2(self, m2):
        refuse_alert(m2)
        r = message(m2)
        suite, group, _, share, mode = r.uint(2), r.uint(2), r.take(32), r.lp(2), r.uint(1)
        clear, e2 = m2[: len(m2) - len(r.data)], r.lp(2)
        r.end()
        if suite != 1 or group != 0x1D or mode > (0 if self.psk is None else 1):
            raise Refused('illegal_parameter')
        z = agree(self.pair, share)
        T2 = self.note(2, clear)
        es = drv(self.psk, 'early') if mode else FULL
        self.keys = Keys(es, z, T2)
        opened = open1(self.keys.s_hs, T2, e2)
        return self.resume(opened) if mode else self.prove(opened)

    def prove(self, P2):
        r = message(P2)
        spki, host = r.lp(2), r.lp(1)
        r.end()
        if not spki_fits(spki, 3072):
            raise Refused('bad_key')
        if host != self.w.host.encode():
            raise Refused('no_such_host')
        if H(spki) != self.w.pin:
            raise Refused('endpoint_key_changed')
        k, w, i = self.keys, self.w, self.i
        T3 = self.note(3, P2)
        public = serialization.load_der_public_key(spki)
        ct = encrypt_oaep(public, i['oaepSeed'], self.label(T3), i['ss'])
        T4 = self.note(4, ct)
        k.auth(i['ss'], T4)
        user = unicodedata.normalize('NFC', w.user).encode()
        ID = lp(2, w.spki_c) + lp(1, user) + w.device
        T5 = self.note(5, ID)
        sig = self.sign(b' ' * 64 + b'sotto1 client auth\x00' + T5)
        T6 = self.note(6, sig)
        fin_c = self.fin_c(k.c_au, T6)
        self.note(7, fin_c)
        proof = self.padded(lp(2, ID) + lp(2, sig) + fin_c)
        return lp(2, seal1(k.c_hs, T3, ct)) + lp(2, seal1(k.c_au, T4, proof))

    # What a client that gets one thing wrong would do otherwise.

    def label(self, T3):
        return b'sotto1 oaep\x00' + T3

    def sign(self, data):
        return sign_pss(self.w.client, self.i['pssSalt'], data)

    def fin_c(self, secret, T):
        return finished(secret, T)

    def padded(self, content):
        return pad(content, 1536)

    def take_m4(self, m4):
        refuse_alert(m4)
        self.welcome(self.keys.s_au, open1(self.keys.s_au, self.hashes[-1], m4))
        return master(self.keys.as_, self.hashes[-1])

    def welcome(self, secret, opened):
        r = message(opened)
        self.params, fin_s = r.lp(2), r.take(32)
        r.end()
        if fin_s != finished(secret, self.note(8, self.params)):
            raise Refused('crypto_failed')
        return self.note(9, fin_s)

    def resume(self, opened):
        k = self.keys
        T3 = self.welcome(k.s_hs, opened)
        fin_c = self.fin_c(k.c_hs, T3)
        T4 = self.note(7, fin_c)
        self.out = master(k.hs, T4)
        return seal1(k.c_hs, T3, fin_c)


class Server:
    def __init__(self, world, inputs, tickets=()):
        self.w, self.i, self.tickets = world, inputs, tickets
        self.pair = X25519PrivateKey.from_private_bytes(inputs['x25519Server'])

    def take_m1(self, m1):
        _, share, ticket_id, binder = read_m1(m1)
        T1 = ab(self.w.T0, 1, m1)
        psk = next((t for t in self.tickets if drv(t, 'ticket id')[:16] == ticket_id), None)
        if psk is not None and binder_of(psk, self.w.T0, m1[:-33] + b'\x00') != binder:
            psk = None
        z = agree(self.pair, share)
        ours = self.pair.public_key().public_bytes(*RAW)
        mode = b'\x00' if psk is None else b'\x01'
        clear = u(2, 1) + u(2, 0x1D) + self.i['serverRandom'] + lp(2, ours) + mode
        T2 = ab(T1, 2, clear)
        self.keys = Keys(FULL if psk is None else drv(psk, 'early'), z, T2)
        if psk is not None:
            T3p = ab(T2, 8, self.w.params)
            fin_s = finished(self.keys.s_hs, T3p)
            self.resumed, self.T3 = True, ab(T3p, 9, fin_s)
            inside = lp(2, self.w.params) + fin_s
        else:
            inside = lp(2, self.w.spki_s) + lp(1, self.w.host.encode())
            self.resumed, self.T3 = False, ab(T2, 3, inside)
        return clear + lp(2, seal1(self.keys.s_hs, T2, inside))

    def take_m3(self, m3):
        try:
            return self.finish(m3) if self.resumed else self.examine(m3)
        except Refused as error:
            raise Refused('handshake_failed') from error

    def finish(self, m3):
        fin_c = open1(self.keys.c_hs, self.T3, m3)
        if fin_c != finished(self.keys.c_hs, self.T3):
            raise Refused('crypto_failed')
        self.out = master(self.keys.hs, ab(self.T3, 7, fin_c))
        return None

    def examine(self, m3):
        k = self.keys
        r = message(m3)
        e3a, e3b = r.lp(2), r.lp(2)
        r.end()
        ct = open1(k.c_hs, self.T3, e3a)
        ss = decrypt_oaep(self.w.server, b'sotto1 oaep\x00' + self.T3, ct)
        if ss is None or len(ss) != 32:
            ss = os.urandom(32)
        T4 = ab(self.T3, 4, ct)
        k.auth(ss, T4)
        padded = open1(k.c_au, T4, e3b)
        r = message(padded)
        ID, sig, fin_c = r.lp(2), r.lp(2), r.take(32)
        if pad(lp(2, ID) + lp(2, sig) + fin_c, 1536) != padded:
            raise Refused('decode_error')
        T5 = ab(T4, 5, ID)
        T6 = ab(T5, 6, sig)
        if fin_c != finished(k.c_au, T6):
            raise Refused('crypto_failed')
        r = Reader(ID)
        spki, user, device = r.lp(2), r.lp(1), r.take(16)
        r.end()
        if not spki_fits(spki, 2048):
            raise Refused('bad_key')
        if not verify_pss(spki, sig, b' ' * 64 + b'sotto1 client auth\x00' + T5):
            raise Refused('crypto_failed')
        if (user.decode(), device) != (self.w.user, self.w.device):
            raise Refused('directory')
        T7 = ab(T6, 7, fin_c)
        T7p = ab(T7, 8, self.w.params)
        fin_s = finished(k.s_au, T7p)
        self.out = master(k.as_, ab(T7p, 9, fin_s))
        return seal1(k.s_au, T7, lp(2, self.w.params) + fin_s)


def inputs_of(run):
    return {name: bytes.fromhex(value) for name, value in run['inputs'].items()}


# --- Families -------------------------------------------------------------------------------------


def key_schedule():
    file = load('key_schedule.json')
    secret = bytes.fromhex(file['drv']['secret'])
    for case in file['drv']['cases']:
        out = drv(secret, case['label'], bytes.fromhex(case['context']))
        check(f"drv {case['label']}", out, case['out'])
    for case in file['ext']:
        check('ext', ext(bytes.fromhex(case['salt']), bytes.fromhex(case['ikm'])), case['out'])
    case = file['seal1']
    aad, text = bytes.fromhex(case['aad']), bytes.fromhex(case['message'])
    check('seal1', seal1(bytes.fromhex(case['secret']), aad, text), case['out'])
    for case in file['transcript']:
        check('transcript', transcript(case['host']), case['out'])
    for case in file['ab']:
        body = bytes.fromhex(case['body'])
        check('ab', ab(bytes.fromhex(case['T']), case['type'], body), case['out'])
    case = file['finished']
    out = finished(bytes.fromhex(case['secret']), bytes.fromhex(case['T']))
    check('finished', out, case['out'])
    for case in file['nonce']:
        check('nonce', nonce(bytes.fromhex(case['iv']), case['counter']), case['out'])


def handshakes(name):
    """A chain of runs, each with the ticket of the one before; a refused ticket gives mode 0."""
    file = load(name)
    world, psk = World(file), None
    for run in file['runs']:
        what = f"{name}: {run['name']}"
        i = inputs_of(run)
        client = Client(world, i, psk)
        server = Server(world, i, () if 'unknown' in run['name'] or psk is None else (psk,))
        m2 = server.take_m1(client.m1)
        m3 = client.take_m2(m2)
        m4 = server.take_m3(m3)
        messages = [client.m1, m2, m3] + ([] if m4 is None else [m4])
        out = client.out if m4 is None else client.take_m4(m4)
        check(f'{what}: mode', 'full' if m4 else 'resumed', run['mode'])
        check(f'{what}: messages', [m.hex() for m in messages], run['messages'])
        for T in client.hashes:
            check(f'{what}: hash', T.hex() in run['hashes'], True)
        for field, value in out.items():
            check(f'{what}: {field}', value, run['out'][field])
        check(f'{what}: both sides', server.out, out)
        psk = bytes.fromhex(out['resumption'])


def given_handshake():
    """handshake.json, made elsewhere: its key schedule from the stated secrets."""
    file = load('handshake.json')
    messages = [bytes.fromhex(m) for m in file['full']['messages']]
    trace, out = file['full']['trace'], file['full']['out']
    T0 = transcript(file['host'])
    check('given: T0', T0, trace['t0'])
    check('given: T1', ab(T0, 1, messages[0]), trace['T1'])
    clear, e2 = messages[1][:71], messages[1][73:]
    T2 = ab(bytes.fromhex(trace['T1']), 2, clear)
    check('given: T2', T2, trace['T2'])
    keys = Keys(FULL, bytes.fromhex(file['ecdh']), T2)
    check('given: HS', keys.hs, trace['HS'])
    P2 = open1(keys.s_hs, T2, e2)
    check('given: T3', ab(T2, 3, P2), trace['T3'])
    T4, T7 = bytes.fromhex(trace['T4']), bytes.fromhex(trace['T7'])
    keys.auth(bytes.fromhex(file['session_secret']), T4)
    check('given: AS', keys.as_, trace['AS'])
    r = Reader(open1(keys.s_au, T7, messages[3]))
    params, fin_s = r.lp(2), r.take(32)
    T7p = ab(T7, 8, params)
    check('given: fin_s', finished(keys.s_au, T7p), fin_s.hex())
    got = master(keys.as_, ab(T7p, 9, fin_s))
    for field, value in out.items():
        check(f'given: {field}', got[field], value)


def seal_record(secret, seq, content, payload):
    aead, iv = key_iv(secret)
    inner = u(1, content) + payload + b'\x80'
    inner += bytes(bucket(len(payload)) - len(inner))
    header = b'\x17' + u(3, len(inner) + 16)
    return header + aead.encrypt(nonce(iv, seq), inner, header)


def open_record(secret, seq, frame):
    header, ct = frame[:4], frame[4:]
    size = len(ct) - 16
    if len(header) < 4 or header[0] != 0x17 or int.from_bytes(header[1:], 'big') != len(ct):
        raise Refused('bad_record')
    if size < 256 or size > 65536 or size % (256 if size <= 4096 else 1024):
        raise Refused('bad_record')
    aead, iv = key_iv(secret)
    try:
        inner = aead.decrypt(nonce(iv, seq), ct, header)
    except InvalidTag as error:
        raise Refused('bad_record') from error
    content = inner.rstrip(b'\x00')
    if len(content) < 2 or content[-1] != 0x80 or not 1 <= content[0] <= 6:
        raise Refused('decode_error')
    if bucket(len(content) - 2) != len(inner):
        raise Refused('decode_error')
    return content[0], content[1:-1]


def payload_of(given):
    if 'payload' in given:
        return bytes.fromhex(given['payload'])
    return bytes((given['first'] + i * 7) & 0xFF for i in range(given['length']))


def records():
    file = load('records.json')
    secret = bytes.fromhex(file['secret'])
    for key, cases in ((secret, file['cases']), (drv(secret, 'upd'), file['updated'])):
        for case in cases:
            payload = payload_of(case['given'])
            frame = seal_record(key, case['seq'], case['content'], payload)
            out = case['out']
            got = frame.hex() if 'frame' in out else hashlib.sha256(frame).hexdigest()
            check(f"record {case['seq']}", got, out.get('frame', out.get('sha256')))
            opened = open_record(key, case['seq'], frame)
            check(f"record {case['seq']} opened", opened == (case['content'], payload), True)


SEALED = (3, 5, 6, 7, 8, 9, 10, 11)


def alerts():
    file = load('alerts.json')
    secret = bytes.fromhex(file['secret'])
    for case in file['cases']:
        code = case['code']
        clear = f'15{code:02x}' if code in CLEAR else None
        check(f"clear alert {case['name']}", clear, case['clear'])
        if code in CLEAR:
            check('its name', CLEAR[code], case['name'])
        frame = seal_record(secret, 0, 3, u(1, code)).hex() if code in SEALED else None
        check(f"sealed alert {case['name']}", frame, case['sealed'])


def casts():
    file = load('casts.json')
    room, secret = bytes.fromhex(file['room']), bytes.fromhex(file['cast_secret'])
    log_key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(file['log_key_seed']))
    kid = drv(secret, 'cast kid')[:16]
    check('cast kid', kid, file['kid'])
    link = H(b'sotto1 chain', room)
    check('first chain', link, file['first_chain'])
    aead, iv = key_iv(secret)
    for case in file['entries']:
        mls = bytes.fromhex(case['mls'])
        link = H(b'sotto1 chain', link, u(8, case['seq']), H(mls))
        check('chain', link, case['chain'])
        entry = room + u(8, case['seq']) + link + lp(4, mls)
        signature = log_key.sign(b'sotto1 cast\x00' + entry)
        aad = kid + u(8, case['counter'])
        sealed = aead.encrypt(nonce(iv, case['counter']), entry + signature, aad)
        check('cast frame', aad + sealed, case['frame'])


def negative():
    file = load('negative.json')
    world = World(file)
    run = load('handshake_full.json')['runs'][0]
    i, honest = inputs_of(run), [bytes.fromhex(m) for m in run['messages']]
    for case in file['cases']:
        frame = bytes.fromhex(case['frame'])
        role, _, awaited = case['state'].partition(' awaits ')
        try:
            if role == 'endpoint':
                server = Server(world, i)
                if awaited == 'M3':
                    server.take_m1(honest[0])
                (server.take_m1 if awaited == 'M1' else server.take_m3)(frame)
            else:
                client = Client(world, i)
                if awaited == 'M4':
                    client.take_m2(honest[1])
                (client.take_m2 if awaited == 'M2' else client.take_m4)(frame)
            got = 'accepted'
        except Refused as error:
            got = str(error)
        check(f"{case['state']}: {case['name']}", got, case['error'])
        codes = {name: code for code, name in CLEAR.items()}
        alert = f"15{codes.get(got, 2):02x}" if role == 'endpoint' else None
        check(f"{case['state']}: {case['name']}: alert", alert, case['alert'])
    secret = bytes.fromhex(file['records']['secret'])
    for case in file['records']['cases']:
        try:
            open_record(secret, 0, bytes.fromhex(case['frame']))
            got = 'accepted'
        except Refused as error:
            got = str(error)
        check(f"record: {case['name']}", got, case['error'])


def finish():
    print(f'{passed} passed, {failed} failed')
    sys.exit(1 if failed or not passed else 0)


def main():
    key_schedule()
    given_handshake()
    for chain in ('handshake_full.json', 'resumption.json', 'resumption_refused.json'):
        handshakes(chain)
    records()
    alerts()
    casts()
    negative()
    finish()


if __name__ == '__main__':
    main()
