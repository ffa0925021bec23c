"""Makes mls_binding.json without any of our code, with Python's cryptography:

    python3 test/vectors/make_binding.py > test/vectors/mls_binding.json

The signatures are random (PSS), so a new run gives other bytes that hold just the same.
"""

import hashlib
import json
import os
import struct
import sys

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
)

HERE = os.path.dirname(os.path.abspath(__file__))
SUITE = 83
NOT_BEFORE, DAYS = 1_800_000_000, 86_400
NOW = (NOT_BEFORE + 30 * DAYS) * 1000

with open(os.path.join(HERE, "keys.json"), encoding="utf-8") as file:
    KEY = load_der_private_key(bytes.fromhex(json.load(file)["client"]["pkcs8"]), None)
SPKI = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def lp8(data):
    return struct.pack(">B", len(data)) + data


def lp16(data):
    return struct.pack(">H", len(data)) + data


def claim(over):
    fields = {
        "user": "zoë",
        "device": bytes(range(16)),
        "spki": SPKI,
        "host": hashlib.sha256(b"an endpoint's key").digest(),
        "signatureKey": bytes(range(100, 132)),
        "notBefore": NOT_BEFORE,
        "notAfter": NOT_BEFORE + 400 * DAYS,
        "suite": SUITE,
    }
    return {**fields, **over}


def digest(c):
    return hashlib.sha256(
        c["host"]
        + lp8(c["user"].encode())
        + c["device"]
        + lp16(c["spki"])
        + lp8(c["signatureKey"])
        + struct.pack(">QQH", c["notBefore"], c["notAfter"], c["suite"])
    ).digest()


def sign(c, label=b"sotto1 mls binding", salt=32):
    data = b" " * 64 + label + b"\0" + digest(c)
    pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=salt)
    return KEY.sign(data, pss, hashes.SHA256())


def encode(c, signature, version=1):
    return (
        struct.pack(">B", version)
        + c["host"]
        + lp8(c["user"].encode())
        + c["device"]
        + lp16(c["spki"])
        + struct.pack(">QQH", c["notBefore"], c["notAfter"], c["suite"])
        + lp16(signature)
    )


def case(name, outcome, identity, now=NOW, **over):
    c = claim(over)
    return {
        "name": name,
        "outcome": outcome,
        "identity": identity.hex(),
        "signatureKey": c["signatureKey"].hex(),
        "host": claim({})["host"].hex(),
        "now": now,
    }


def signed(**over):
    c = claim(over)
    return encode(c, sign(c))


GOOD = claim({})
TRUE = encode(GOOD, sign(GOOD))
LATE = (NOT_BEFORE + 400 * DAYS + 1) * 1000
CASES = [
    case("in force", "accept", TRUE),
    case("in its last second", "accept", TRUE, LATE - 1000),
    case("expired", "refuse", TRUE, LATE),
    case("more than three days before its time", "refuse", TRUE, (NOT_BEFORE - 3 * DAYS - 1) * 1000),
    case("for too long", "refuse", signed(notAfter=NOT_BEFORE + 402 * DAYS)),
    case("another signature key", "refuse", TRUE, signatureKey=bytes(32)),
    case("another host", "refuse", signed(host=bytes(32))),
    case("another suite", "refuse", signed(suite=SUITE + 1)),
    case("no user", "refuse", signed(user="")),
    case("a user in NFD", "refuse", signed(user="zoe\u0308")),
    case("a user of 65 bytes", "refuse", signed(user="x" * 65)),
    case("a user with an invisible character", "refuse", signed(user="zo\u200bë")),
    case("signed for the handshake", "refuse", encode(GOOD, sign(GOOD, b"sotto1 client auth"))),
    case("signed with a salt of 20 bytes", "refuse", encode(GOOD, sign(GOOD, salt=20))),
    case("signed with no salt", "refuse", encode(GOOD, sign(GOOD, salt=0))),
    case("no signature", "refuse", encode(GOOD, b"")),
    case("a byte behind it", "refuse", TRUE + b"\0"),
    case("cut by a byte", "refuse", TRUE[:-1]),
    case("version 2", "refuse", encode(GOOD, sign(GOOD), 2)),
    case("an SPKI with a byte behind it", "refuse", signed(spki=SPKI + b"\0")),
    case("empty", "refuse", b""),
]
json.dump(
    {
        "about": "Bindings of MLS leaves, made by make_binding.py. `now` in ms since 1970.",
        "claim": {k: v.hex() if isinstance(v, bytes) else v for k, v in GOOD.items()},
        "digest": digest(GOOD).hex(),
        "fingerprint": hashlib.sha256(SPKI).hexdigest(),
        "cases": CASES,
    },
    sys.stdout,
    indent=1,
    ensure_ascii=False,
)
print()
