"""Makes forgeries.json without any of our code, with Python's cryptography and whole numbers:

    python3 test/vectors/make_forgeries.py > test/vectors/forgeries.json

Signatures and sealed texts that are almost right, after the kinds of Wycheproof's lists: wrong
salts, hashes, masks, paddings and ranges (RSA-PSS), other spellings (Ed25519), other tags
(AES-256-GCM). PSS is random, so a new run gives other bytes that hold just the same.
"""

import hashlib
import json
import os

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
)

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = b"what is signed"
# The order of Ed25519's group.
ORDER = 2**252 + 27742317777372353535851937790883648493

with open(os.path.join(HERE, "keys.json"), encoding="utf-8") as file:
    KEY = load_der_private_key(bytes.fromhex(json.load(file)["client"]["pkcs8"]), None)
NUMBERS = KEY.private_numbers()
N, D = NUMBERS.public_numbers.n, NUMBERS.d
LENGTH = (N.bit_length() + 7) // 8


def raw(block):
    """RSA's own operation on a block of 384 bytes."""
    return pow(int.from_bytes(block, "big"), D, N).to_bytes(LENGTH, "big")


def mgf1(seed, length, name):
    blocks, counter = b"", 0
    while len(blocks) < length:
        blocks += hashlib.new(name, seed + counter.to_bytes(4, "big")).digest()
        counter += 1
    return blocks[:length]


def pss(data=DATA, **over):
    """EMSA-PSS (RFC 8017, 9.1.1), every part of which can be another."""
    o = {
        "hash": "sha256",
        "mask": "sha256",
        "salt": 32,
        "digest": None,
        "prefix": bytes(8),
        "padding": 0x00,
        "one": 0x01,
        "trailer": 0xBC,
        "top": 0x00,
        "change": None,
        **over,
    }
    digest = o["digest"] or hashlib.new(o["hash"], data).digest()
    salt = os.urandom(o["salt"])
    h = hashlib.new(o["hash"], o["prefix"] + digest + salt).digest()
    gap = LENGTH - len(salt) - len(h) - 2
    db = bytearray(bytes([o["padding"]]) * gap + bytes([o["one"]]) + salt)
    if o["change"] is not None:
        db[o["change"]] ^= 1
    masked = bytearray(a ^ b for a, b in zip(db, mgf1(h, len(db), o["mask"])))
    # The modulus has 3072 bits, so that the highest bit of the block must be 0.
    masked[0] = masked[0] & 0x7F | o["top"]
    return bytes(masked) + h + bytes([o["trailer"]])


def pkcs1():
    info = bytes.fromhex("3031300d060960864801650304020105000420") + hashlib.sha256(DATA).digest()
    return b"\x00\x01" + b"\xff" * (LENGTH - len(info) - 3) + b"\x00" + info


def number(n, length=LENGTH):
    return n.to_bytes(length, "big")


def below_n(**over):
    """A block that RSA can take, the highest bit of which is set."""
    while True:
        block = pss(top=0x80, **over)
        if int.from_bytes(block, "big") < N:
            return block


def beyond():
    """A good signature plus N, where that still fits 384 bytes."""
    while True:
        s = int.from_bytes(raw(pss()), "big")
        if s + N < 2 ** (8 * LENGTH):
            return number(s + N)


def rsa_cases():
    good = raw(pss())
    yield "as it must be", good, True
    yield "with another salt", raw(pss()), True
    for salt in (0, 1, 20, 31, 33, 48, 64, LENGTH - 34):
        yield "with a salt of %d bytes" % salt, raw(pss(salt=salt)), False
    for name in ("sha1", "sha224", "sha384", "sha512"):
        yield "with %s" % name, raw(pss(hash=name, mask=name)), False
        yield "with %s inside, the mask as it must be" % name, raw(pss(hash=name)), False
        yield "with a mask of %s" % name, raw(pss(mask=name)), False
    yield "of another text", raw(pss(b"what is not signed")), False
    yield "of the hash of the hash", raw(pss(hashlib.sha256(DATA).digest())), False
    yield "of the text itself, unhashed", raw(pss(digest=DATA)), False
    yield "of no text", raw(pss(b"")), False
    yield "without the eight zeros", raw(pss(prefix=b"")), False
    yield "with seven zeros", raw(pss(prefix=bytes(7))), False
    yield "with eight ones", raw(pss(prefix=b"\xff" * 8)), False
    for trailer in (0x00, 0x33, 0xBB, 0xCC, 0xFF):
        yield "with the trailer %02x" % trailer, raw(pss(trailer=trailer)), False
    for one in (0x00, 0x02, 0x81):
        yield "with %02x before the salt" % one, raw(pss(one=one)), False
    yield "with a padding of ones", raw(pss(padding=0xFF)), False
    for at in (0, 1, 100, LENGTH - 67):
        yield "with bit 0 of byte %d of the padding set" % at, raw(pss(change=at)), False
    yield "with the highest bit set", raw(below_n()), False
    yield "as PKCS #1 v1.5", raw(pkcs1()), False
    yield "that is the block itself", pss(), False
    yield "plus the modulus", beyond(), False
    yield "0", number(0), False
    yield "1", number(1), False
    yield "the modulus less one", number(N - 1), False
    yield "the modulus", number(N), False
    yield "the modulus and one", number(N + 1), False
    yield "all ones", b"\xff" * LENGTH, False
    yield "negative", number(N - int.from_bytes(good, "big")), False
    yield "with a zero before it", b"\x00" + good, False
    yield "with a zero behind it", good + b"\x00", False
    yield "without its last byte", good[:-1], False
    yield "without its first byte", good[1:], False
    while True:
        short = raw(pss())
        if short[0] == 0:
            break
    yield "that begins with a zero", short, True
    yield "that began with a zero, without it", short[1:], False
    for bit in (0, 7, 8 * LENGTH // 2, 8 * LENGTH - 8, 8 * LENGTH - 1):
        flipped = bytearray(good)
        flipped[bit // 8] ^= 1 << bit % 8
        yield "with bit %d flipped" % bit, bytes(flipped), False
    yield "twice", good + good, False
    yield "empty", b"", False


def ed25519_cases(key):
    good = key.sign(DATA)
    point, s = good[:32], int.from_bytes(good[32:], "little")
    yield "as it must be", good, True
    yield "of another text", key.sign(b"what is not signed"), False
    # RFC 8032, 5.1.7: S is below the order, or everyone could make a second signature of a first.
    for times in (1, 2, 7):
        yield "with S and %d times the order" % times, point + (s + times * ORDER).to_bytes(32, "little"), False
    yield "with S of 0", point + bytes(32), False
    yield "with S of the order", point + ORDER.to_bytes(32, "little"), False
    yield "with S negative", point + (ORDER - s).to_bytes(32, "little"), False
    yield "with all ones for S", point + b"\xff" * 32, False
    yield "with the other sign of R", bytes(point[:31]) + bytes([point[31] ^ 0x80]) + good[32:], False
    yield "with R of 0", bytes(32) + good[32:], False
    yield "with the neutral element for R", b"\x01" + bytes(31) + good[32:], False
    yield "with all ones for R", b"\xff" * 32 + good[32:], False
    yield "with R and S changed for each other", good[32:] + point, False
    yield "all zeros", bytes(64), False
    yield "without its last byte", good[:-1], False
    yield "with a zero behind it", good + b"\x00", False
    yield "empty", b"", False
    yield "by another key", Ed25519PrivateKey.from_private_bytes(b"\x02" * 32).sign(DATA), False
    for bit in (0, 255, 256, 511):
        flipped = bytearray(good)
        flipped[bit // 8] ^= 1 << bit % 8
        yield "with bit %d flipped" % bit, bytes(flipped), False


def gcm_cases(key, nonce, aad):
    aead = AESGCM(key)
    good = aead.encrypt(nonce, DATA, aad)
    text, tag = good[:-16], good[-16:]
    yield "as it must be", good, True
    for bit in range(0, 128, 5):
        flipped = bytearray(tag)
        flipped[bit // 8] ^= 1 << bit % 8
        yield "with bit %d of the tag flipped" % bit, text + bytes(flipped), False
    for length in (0, 1, 4, 8, 12, 13, 14, 15):
        yield "with a tag of %d bytes" % length, text + tag[:length], False
    yield "with a tag of 17 bytes", good + b"\x00", False
    yield "with a tag of zeros", text + bytes(16), False
    yield "with a tag of ones", text + b"\xff" * 16, False
    yield "with the tag before the text", tag + text, False
    yield "with the tag turned round", text + tag[::-1], False
    yield "under another nonce", aead.encrypt(nonce[::-1], DATA, aad), False
    yield "with other additional data", aead.encrypt(nonce, DATA, aad + b"\x00"), False
    yield "without additional data", aead.encrypt(nonce, DATA, b""), False
    yield "with the text changed", bytes([text[0] ^ 1]) + good[1:], False
    yield "with a byte less of text", text[:-1] + tag, False
    yield "under another key", AESGCM(key[::-1]).encrypt(nonce, DATA, aad), False
    yield "under a key of 128 bits", AESGCM(key[:16]).encrypt(nonce, DATA, aad), False
    yield "empty", b"", False


def listed(cases):
    return [{"name": name, "bytes": made.hex(), "good": good} for name, made, good in cases]


def main():
    signer = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    key, nonce, aad = bytes(range(32)), bytes(range(40, 52)), b"additional data"
    public = signer.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    spki = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    about = "Signatures of `data` and sealings of it, good and almost good, made by make_forgeries.py."
    vectors = {
        "about": about,
        "data": DATA.hex(),
        "rsaPss": {"spki": spki.hex(), "cases": listed(rsa_cases())},
        "ed25519": {"public": public.hex(), "cases": listed(ed25519_cases(signer))},
        "aesGcm": {
            "key": key.hex(),
            "nonce": nonce.hex(),
            "aad": aad.hex(),
            "cases": listed(gcm_cases(key, nonce, aad)),
        },
    }
    print(json.dumps(vectors, indent=1))


if __name__ == "__main__":
    main()
