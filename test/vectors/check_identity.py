"""Checks spki.json and backup.json without any of our code: Python's standard library, and
python3-cryptography (Debian: 38.0.4) for AES and as a second reader of the good keys.

    /usr/bin/python3 test/vectors/check_identity.py
"""

import base64
import hashlib
import json
import os
import re
import unicodedata

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_private_key,
)

HERE = os.path.dirname(os.path.abspath(__file__))
RSA, PBES2, PBKDF2 = "1.2.840.113549.1.1.1", "1.2.840.113549.1.5.13", "1.2.840.113549.1.5.12"
PRFS = {
    "1.2.840.113549.2.7": "sha1",
    "1.2.840.113549.2.9": "sha256",
    "1.2.840.113549.2.10": "sha384",
    "1.2.840.113549.2.11": "sha512",
}
CIPHERS = {
    "2.16.840.1.101.3.4.1.2": 16,
    "2.16.840.1.101.3.4.1.22": 24,
    "2.16.840.1.101.3.4.1.42": 32,
}
MOST_ROUNDS = 10_000_000


class BadKey(Exception):
    outcome = "bad_key"


class BadPassphrase(Exception):
    outcome = "bad_passphrase"


def need(true, why):
    if not true:
        raise BadKey(why)


# --- DER, strictly ------------------------------------------------------------------------------


def parse(data):
    """The one value that `data` is: (tag, contents as bytes or list of values)."""
    value, rest = first(data)
    need(rest == b"", "bytes left over")
    return value


def first(data):
    need(len(data) >= 2, "cut off")
    tag, length, at = data[0], data[1], 2
    if length >= 0x80:
        size = length - 0x80
        need(1 <= size <= 4 and len(data) >= 2 + size, "length")
        length = int.from_bytes(data[2 : 2 + size], "big")
        at = 2 + size
        need(length >= 0x80 and length >> (8 * (size - 1)), "length not the shortest")
    need(len(data) >= at + length, "cut off")
    body, rest = data[at : at + length], data[at + length :]
    if tag & 0x20:
        children = []
        while body:
            child, body = first(body)
            children.append(child)
        return (tag, children), rest
    return (tag, body), rest


def integer(value):
    tag, body = value
    need(tag == 0x02 and len(body) > 0, "not an INTEGER")
    if len(body) > 1:
        need(not (body[0] == 0 and body[1] < 0x80), "INTEGER padded")
        need(not (body[0] == 0xFF and body[1] >= 0x80), "INTEGER padded")
    return int.from_bytes(body, "big", signed=True)


def oid(value):
    tag, body = value
    need(tag == 0x06 and body and body[-1] < 0x80, "not an OID")
    arcs, arc, fresh = [], 0, True
    for byte in body:
        need(not (fresh and byte == 0x80), "OID padded")
        arc, fresh = arc << 7 | byte & 0x7F, byte < 0x80
        if fresh:
            arcs.append(arc)
            arc = 0
    top = min(arcs[0] // 40, 2)
    return ".".join(map(str, [top, arcs[0] - 40 * top] + arcs[1:]))


def octets(value):
    need(value[0] == 0x04, "not an OCTET STRING")
    return value[1]


def sequence(value, least, most=None):
    need(value[0] == 0x30, "not a SEQUENCE")
    need(least <= len(value[1]) <= (most or least), "another number of values")
    return value[1]


def tlv(tag, *parts):
    body = b"".join(parts)
    n = len(body)
    if n < 0x80:
        return bytes([tag, n]) + body
    size = (n.bit_length() + 7) // 8
    return bytes([tag, 0x80 + size]) + n.to_bytes(size, "big") + body


def number(n):
    return tlv(0x02, n.to_bytes(n.bit_length() // 8 + 1, "big"))


# --- Public keys --------------------------------------------------------------------------------


def check_modulus(n, least):
    need(n.bit_length() in (2048, 3072, 4096) and n.bit_length() >= least, "size")
    need(n & 1, "even")


def check_spki(der, least):
    algorithm, key = sequence(parse(der), 2)
    check_rsa(algorithm)
    need(key[0] == 0x03 and key[1][:1] == b"\0", "not a BIT STRING of whole bytes")
    n, e = (integer(value) for value in sequence(parse(key[1][1:]), 2))
    need(e == 65537, "exponent")
    need(n > 0, "negative")
    check_modulus(n, least)
    return n


def check_rsa(algorithm):
    identifier, null = sequence(algorithm, 2)
    need(oid(identifier) == RSA, "not RSA")
    need(null == (0x05, b""), "no NULL")


def spki_of(n):
    rsa = bytes.fromhex("300d06092a864886f70d0101010500")
    return tlv(0x30, rsa, tlv(0x03, b"\0", tlv(0x30, number(n), number(65537))))


# --- Private keys -------------------------------------------------------------------------------


def read_pem(text):
    need(len(text.encode("utf-16-le")) // 2 <= 65536, "too large")
    blocks = []
    while "-----BEGIN " in text:
        need(len(blocks) < 16, "too many")
        text = text.split("-----BEGIN ", 1)[1]
        label, found, text = text.partition("-----")
        need(found, "cut off")
        body, found, text = text.partition("-----END %s-----" % label)
        need(found, "cut off")
        if ":" in body:
            blocks.append((label, None))
            continue
        body = re.sub(r"[ \t\r\n]+", "", body)
        try:
            der = base64.b64decode(body, validate=True)
        except ValueError:
            raise BadKey("base64")
        blocks.append((label, der))
    need(blocks, "no PEM")
    return blocks


def read_key_file(text, passphrase):
    """SPKI of the private key in a PEM file."""
    wanted = ("PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "RSA PRIVATE KEY")
    keys = [block for block in read_pem(text) if block[0] in wanted]
    need(len(keys) == 1, "not one private key")
    label, der = keys[0]
    need(der is not None, "headers")
    if label == "RSA PRIVATE KEY":
        return read_pkcs1(der)
    if label == "PRIVATE KEY":
        return read_pkcs8(der)
    file = read_encrypted(der)
    if not passphrase:
        raise BadPassphrase("none")
    plain = decrypt(file, unicodedata.normalize("NFC", passphrase))
    try:
        parse(plain)
    except BadKey:
        raise BadPassphrase("no DER")
    return read_pkcs8(plain)


def read_pkcs8(der):
    parts = sequence(parse(der), 3, 5)
    need(integer(parts[0]) in (0, 1), "version")
    check_rsa(parts[1])
    return read_pkcs1(octets(parts[2]))


def read_pkcs1(der):
    version, *numbers = (integer(value) for value in sequence(parse(der), 9))
    need(version == 0, "version")
    n, e, d, p, q, dp, dq, qi = numbers
    need(min(numbers) > 0 and e == 65537, "exponent")
    check_modulus(n, 2048)
    need(p != q and p * q == n and 1 < p < n, "primes")
    need(d < n and d * e % (p - 1) == 1 and d * e % (q - 1) == 1, "d")
    need(dp == d % (p - 1) and dq == d % (q - 1), "CRT exponents")
    need(qi < p and qi * q % p == 1, "CRT coefficient")
    return spki_of(n)


def read_encrypted(der):
    algorithm, ciphertext = sequence(parse(der), 2)
    scheme, parameters = sequence(algorithm, 2)
    need(oid(scheme) == PBES2, "scheme")
    kdf, cipher = sequence(parameters, 2)
    name, kdf = sequence(kdf, 2)
    need(oid(name) == PBKDF2, "KDF")
    salt, rounds, *rest = sequence(kdf, 2, 4)
    length = integer(rest.pop(0)) if rest and rest[0][0] == 0x02 else None
    prf = "sha1"
    if rest:
        identifier, *null = sequence(rest.pop(0), 1, 2)
        need(null in ([], [(0x05, b"")]), "PRF parameters")
        prf = PRFS.get(oid(identifier))
    need(not rest and prf, "PRF")
    need(1 <= integer(rounds) <= MOST_ROUNDS, "rounds")
    name, iv = sequence(cipher, 2)
    size = CIPHERS.get(oid(name))
    need(size and length in (None, size), "cipher")
    need(len(octets(iv)) == 16 and len(octets(salt)) <= 1024, "IV or salt")
    need(octets(ciphertext) and len(octets(ciphertext)) % 16 == 0, "blocks")
    return prf, octets(salt), integer(rounds), size, octets(iv), octets(ciphertext)


def aes_key(prf, salt, rounds, size, passphrase):
    return hashlib.pbkdf2_hmac(prf, passphrase.encode(), salt, rounds, size)


def decrypt(file, passphrase):
    prf, salt, rounds, size, iv, ciphertext = file
    key = aes_key(prf, salt, rounds, size, passphrase)
    opener = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    plain = opener.update(ciphertext) + opener.finalize()
    pad = plain[-1]
    if not 1 <= pad <= 16 or plain[-pad:] != bytes([pad]) * pad:
        raise BadPassphrase("padding")
    return plain[:-pad]


def seal(pkcs8, passphrase, salt, iv, rounds):
    """The file that we write, from nothing but PROTOCOL.md."""
    text = unicodedata.normalize("NFC", passphrase)
    sealer = Cipher(algorithms.AES(aes_key("sha256", salt, rounds, 32, text)), modes.CBC(iv)).encryptor()
    pad = 16 - len(pkcs8) % 16
    ciphertext = sealer.update(pkcs8 + bytes([pad]) * pad) + sealer.finalize()
    name = lambda text: tlv(0x06, bytes.fromhex(text))
    prf = tlv(0x30, name("2a864886f70d0209"), tlv(0x05))
    kdf = tlv(0x30, name("2a864886f70d01050c"), tlv(0x30, tlv(0x04, salt), number(rounds), prf))
    cipher = tlv(0x30, name("60864801650304012a"), tlv(0x04, iv))
    algorithm = tlv(0x30, name("2a864886f70d01050d"), tlv(0x30, kdf, cipher))
    body = base64.b64encode(tlv(0x30, algorithm, tlv(0x04, ciphertext))).decode()
    lines = [body[i : i + 64] for i in range(0, len(body), 64)]
    label = "ENCRYPTED PRIVATE KEY-----"
    return "\n".join(["-----BEGIN " + label, *lines, "-----END " + label, ""])


# --- The vectors --------------------------------------------------------------------------------


def load(name):
    with open(os.path.join(HERE, name), encoding="utf-8") as file:
        return json.load(file)


def check_public(case):
    der = bytes.fromhex(case["der"])
    try:
        n = check_spki(der, case["least"])
        taken = True
    except BadKey:
        taken = False
    assert taken == case["accept"], "taken" if taken else "refused"
    if not taken:
        return
    assert hashlib.sha256(der).hexdigest() == case["fingerprint"], "fingerprint"
    assert spki_of(n) == der, "another encoding"
    if "as an" in case["name"]:
        again = load_der_public_key(der).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        assert again == der, "cryptography encodes it otherwise"


def check_backup(case, keys):
    try:
        spki = read_key_file(case["pem"].lstrip("\ufeff"), case.get("passphrase"))
        outcome = "accept"
    except (BadKey, BadPassphrase) as error:
        outcome = error.outcome
    assert outcome == case["outcome"], outcome
    if outcome != "accept":
        return
    assert hashlib.sha256(spki).hexdigest() == case["fingerprint"], "fingerprint"
    public = load_pem_private_key(keys[case["key"]].encode(), None).public_key()
    assert public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) == spki, "key"
    if "sealed" in case:
        sealed, passphrase = case["sealed"], case["passphrase"]
        load_pem_private_key(case["pem"].encode(), passphrase.encode())
        (_, pkcs8), = read_pem(keys[case["key"]])
        salt, iv = bytes.fromhex(sealed["salt"]), bytes.fromhex(sealed["iv"])
        assert seal(pkcs8, passphrase, salt, iv, sealed["iterations"]) == case["pem"], "bytes"


def main():
    keys = load("identity_keys.json")["keys"]
    checks = [("spki.json", check_public, case) for case in load("spki.json")["cases"]]
    checks += [
        ("backup.json", lambda case: check_backup(case, keys), case)
        for case in load("backup.json")["cases"]
    ]
    failed = 0
    for file, check, case in checks:
        try:
            check(case)
        except Exception as error:
            failed += 1
            print("%s, %s: %s %s" % (file, case["name"], type(error).__name__, error))
    print("%d passed, %d failed" % (len(checks) - failed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
