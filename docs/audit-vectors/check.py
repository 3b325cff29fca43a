"""Checks a bundle as docs/audit.md says, with nothing but Python's own library: `check.py amended`.

The plan of the study (d, bounds, which coordinates are opened when) is taken from published.json.
"""
import hashlib
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
NAME = sys.argv[1] if len(sys.argv) > 1 else "published"
VECTORS = json.loads((HERE / f"{NAME}.json").read_text())
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
FIELD = 2**66 * 4611686018427387897 + 1
D = -121665 * pow(121666, -1, P) % P
ROOT = pow(2, (P - 1) // 4, P)


# Hashes.
def parts(algorithm, dst, *rest):
    state = hashlib.new(algorithm)
    for part in (b"sotto/v1/" + dst, *rest):
        state.update(len(part).to_bytes(8, "big") + part)
    return state.digest()


def H(dst, *rest):
    return parts("sha256", dst, *rest)


def W(dst, *rest):
    return parts("sha512", dst, *rest)


# Edwards points (X, Y, Z, T), and Ristretto on them (RFC 9496).
def add(a, b):
    A, B = (a[1] - a[0]) * (b[1] - b[0]), (a[1] + a[0]) * (b[1] + b[0])
    C, E = 2 * D * a[3] * b[3], 2 * a[2] * b[2]
    e, f, g, h = B - A, E - C, E + C, B + A
    return e * f % P, g * h % P, f * g % P, e * h % P


ZERO = (0, 1, 1, 0)


def mul(n, point):
    result = ZERO
    for bit in bin(n % L)[2:]:
        result = add(result, result)
        if bit == "1":
            result = add(result, point)
    return result


def neg(a):
    return -a[0] % P, a[1], a[2], -a[3] % P


def even(x):
    return P - x if x % 2 else x


def sqrt_ratio(u, v):
    r = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    check = v * r * r % P
    if check in (-u % P, -u * ROOT % P):
        r = r * ROOT % P
    return check in (u % P, -u % P), even(r)


INVSQRT_A_D = sqrt_ratio(1, -1 - D)[1]
# The RFC's constant is this root, which is odd or even as it may be.
SQRT_AD_1 = sqrt_ratio(-D - 1, 1)[1]
if SQRT_AD_1 != 25063068953384623474111414158702152701244531502492656460079210482610430750235:
    SQRT_AD_1 = -SQRT_AD_1 % P


def decode(data):
    s = int.from_bytes(data, "little")
    assert s < P and s % 2 == 0, "no encoding of a point"
    u1, u2 = (1 - s * s) % P, (1 + s * s) % P
    v = (-D * u1 * u1 - u2 * u2) % P
    ok, inverse = sqrt_ratio(1, v * u2 * u2 % P)
    dx = inverse * u2 % P
    x = even(2 * s * dx % P)
    y = u1 * inverse * dx * v % P
    assert ok and x * y % P % 2 == 0 and y, "no encoding of a point"
    return x, y, 1, x * y % P


def equal(a, b):
    return (a[0] * b[1] - a[1] * b[0]) % P == 0 or (a[1] * b[1] - a[0] * b[0]) % P == 0


def elligator(data):
    t = (int.from_bytes(data, "little") % 2**255) % P
    r = ROOT * t * t % P
    u, v = (r + 1) * (1 - D * D) % P, (-1 - r * D) * (r + D) % P
    square, s = sqrt_ratio(u, v)
    c = P - 1
    if not square:
        s, c = -even(s * t % P) % P, r
    n = (c * (r - 1) * (D - 1) ** 2 - v) % P
    w0, w1 = 2 * s * v % P, n * SQRT_AD_1 % P
    w2, w3 = (1 - s * s) % P, (1 + s * s) % P
    return w0 * w3 % P, w2 * w1 % P, w1 * w3 % P, w0 * w2 % P


def from_uniform(data):
    return add(elligator(data[:32]), elligator(data[32:]))


# Ed25519.
def edwards(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y % 2**255
    ok, x = sqrt_ratio((y * y - 1) % P, (D * y * y + 1) % P)
    assert ok and y < P, "no point"
    x = -x % P if x % 2 != sign else x
    return x, y, 1, x * y % P


BASE = edwards((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def verify(key, signature, dst, *rest):
    message = H(dst, *rest)
    R, S = signature[:32], int.from_bytes(signature[32:], "little")
    k = int.from_bytes(hashlib.sha512(R + key + message).digest(), "little") % L
    left, right = mul(S, BASE), add(edwards(R), mul(k, edwards(key)))
    assert S < L and all((left[i] * right[2] - right[i] * left[2]) % P == 0 for i in (0, 1)), dst


def integer(data):
    return int.from_bytes(data, "big")


# 1. The bundle.
data = (HERE / f"{NAME}.bundle").read_bytes()
sections, at, message = {number: [] for number in range(1, 8)}, 0, b""
while at < len(data):
    kind, length, begin = data[at], integer(data[at + 1 : at + 5]), at
    message += data[at + 5 : at + 5 + length]
    at += 5 + length
    if kind < 0x80:
        sections[kind].append(message)
        message = b""
assert sections[7] == [hashlib.sha256(data[:begin]).digest()]
head = sections[1][0]
END, PROTOCOL = (7, 1) if NAME == "aborted" else (5, 3)
assert head[:14] == b"sotto/record\x01" + bytes([END])
study = head[14:]

# 2. The study.
assert study == H(b"study/id", sections[2][0]) and study.hex() == VECTORS["study"]
keys = [bytes.fromhex(one["identity"]) for one in json.loads(sections[2][0])["servers"]]
k, d = len(keys), VECTORS["coordinates"]

# 3. Bases.
bases = [from_uniform(W(b"pedersen/base", c.to_bytes(4, "big"))) for c in range(d)]
blinding = from_uniform(W(b"pedersen/blinding"))
for base, expected in zip(bases + [blinding], VECTORS["bases"] + [VECTORS["blinding_base"]]):
    assert equal(base, decode(bytes.fromhex(expected)))

# 4. The transcript.
nonce, protocol = sections[3][0][:16], sections[3][0][16]
assert protocol == PROTOCOL and len(sections[3][0]) == 17
run = H(b"session", nonce, study, b"setup" if PROTOCOL == 1 else b"publish")[:16]
assert run.hex() == VECTORS["run"]
chain, bodies = H(b"publish/transcript", study, run), []
for number, start in enumerate(range(1, len(sections[3]), k)):
    assert chain.hex() == VECTORS["chains"][number]
    said = []
    for party, part in enumerate(sections[3][start : start + k]):
        step, signature, body = part[1], part[38:102], part[102:]
        assert part[0] == party and integer(part[2:6]) == number and part[6:38] == chain
        place, hashed = bytes([step, party]), H(b"publish/body", body)
        verify(keys[party], signature, b"publish/message", study, run, place, part[2:6], chain, hashed)
        said += [place, hashed]
        bodies.append((step, party, body))
    chain = H(b"publish/transcript", chain, *said)


def of(step):
    return [body for (number, _, body) in bodies if number == step]


if PROTOCOL == 1:
    committed, revealed = of(8), of(9)
    liars = [j for j in range(k) if H(b"setup/commit", study, bytes([j]), revealed[j]) != committed[j]]
    assert len(bodies) == 2 * k and liars == VECTORS["culprits"]
    print(f"aborted: S_{liars[0]} revealed another contribution than it had committed to")
    sys.exit()

# 5. The submissions.
sums, level, records, last, accepted = [ZERO] * k, [], 0, b"", {}
rejected = [(bytes.fromhex(submission), reason) for submission, reason in VECTORS["rejected"]]
for flag, public in ((one[0], one[1:]) for one in sections[6]):
    submission = public[34:50]
    assert public[:2] == bytes([2, k]) and public[2:34] == study and submission > last
    last, reason, entry = submission, dict(rejected).get(submission), H(b"collect/public", public) + public[50:54]
    assert flag == (reason is None)
    if reason != 1:
        accepted[submission] = (public[54:86], public[86:102], entry, reason)
    if reason:
        continue
    records += integer(public[50:54])
    begin = 54 + 32 + 16 + 4 + 32 * k + 1
    for party in range(k):
        sums[party] = add(sums[party], decode(public[begin + 32 * party : begin + 32 * party + 32]))
    level.append(H(b"merkle/leaf", submission, H(b"collect/public", public), public[50:54]))
count = len(level)
while len(level) > 1:
    pairs = [level[i : i + 2] for i in range(0, len(level), 2)]
    level = [H(b"merkle/node", *pair) if len(pair) == 2 else pair[0] for pair in pairs]
root = level[0]
assert root.hex() == VECTORS["root"]
for mine, expected in zip(sums, VECTORS["sums"]):
    assert equal(mine, decode(bytes.fromhex(expected)))

# 6. The set.
signed = of(3)
assert signed == [signed[0]] * k
assert signed[0][:48] == root + count.to_bytes(8, "big") + records.to_bytes(8, "big")
fates = H(b"publish/rejected", *(part for submission, reason in rejected for part in (submission, bytes([reason]))))
rejections = len(rejected).to_bytes(8, "big")
assert signed[0][48:88] == rejections + fates
amended = len(sections[5]).to_bytes(8, "big") + H(b"publish/amendments", *sections[5])
assert signed[0][88:] == amended
lists = [{} for _ in of(2)]
for party, (root_of, shown) in enumerate(zip(of(1), of(2))):
    at, count_of = 4, integer(shown[:4])
    for _ in range(count_of):
        lists[party][shown[at : at + 16]] = shown[at + 16 : at + 53]
        at += 53
    assert list(lists[party]) == sorted(lists[party]) and len(lists[party]) == count_of
    amendments = []
    while at < len(shown):
        length = integer(shown[at : at + 4])
        amendments.append(shown[at + 4 : at + 4 + length])
        at += 4 + length
    # Every server has all amendments here; elsewhere those of all lists count.
    assert amendments == sections[5]
    others = [one + said for one, said in lists[party].items() if said[36] != 255]
    assert root_of[32:40] == (count_of - len(others)).to_bytes(8, "big")
    assert root_of[40:80] == H(b"publish/rejected", b"".join(others)) + len(others).to_bytes(8, "big")
    assert root_of[80:120] == amended[8:] + amended[:8] and len(root_of) == 128
    assert integer(root_of[120:]) == sum(one[-1] == 0 for one in others)
if lists:
    found = {}
    for submission in set().union(*lists):
        said = [shown[submission] for shown in lists if submission in shown]
        if len(said) < k:
            found[submission] = 3
        elif len({one[:36] for one in said}) > 1:
            found[submission] = 2
        elif any(one[36] != 255 for one in said):
            found[submission] = 1
        else:
            assert said[0][:36] == accepted[submission][2]
    assert found == {one: reason for one, reason in rejected if reason <= 3}

# 7. The amendments: those of each provider from the last to the first.
gone, holds, parsed = {}, set(), []
for one in sections[5]:
    signature, amendment = one[:64], one[64:]
    assert amendment[:33] == b"\1" + study
    place, provider = (integer(amendment[49:57]), amendment[33:49]), amendment[57:89]
    verify(provider, signature, b"collect/amendment", amendment)
    old, new = integer(amendment[89:93]), integer(amendment[93:97])
    ids = [amendment[97 + 16 * i : 113 + 16 * i] for i in range(old + new)]
    assert len(amendment) == 97 + 16 * len(ids)
    parsed.append((provider, place, ids[:old], ids[old:]))
for provider, (_, name), old, new in sorted(parsed, reverse=True):
    is_part = [accepted.get(one, (0, 0))[:2] == (provider, name) for one in new]
    if any((provider, one) in gone for one in old + new) or not all(is_part):
        for one in new:
            gone.setdefault((provider, one), 8)
        continue
    for one in old:
        gone.setdefault((provider, one), 7 if new else 6)
    holds.update((provider, one) for one in new)
for submission, (provider, name, _, reason) in accepted.items():
    alone = 8 if any(name) and (provider, submission) not in holds else None
    assert gone.get((provider, submission), alone) == (reason if reason in (6, 7, 8) else None)

# 9. The openings: which coordinates they are of follows from the study; here, from their lengths.
totals, rest, commits, opens = [None] * d, list(sums), of(4), of(5)
for phase in range(len(opens) // k):
    mine = opens[phase * k : phase * k + k]
    is_open = [c for c in range(d) if VECTORS["totals"][c] is not None]
    coordinates = VECTORS["phases"][phase]
    total = [0] * len(coordinates)
    closed = [c for c in range(d) if totals[c] is None and c not in coordinates]
    assert set(coordinates) <= set(is_open)
    for party, body in enumerate(mine):
        place = bytes([party, phase])
        assert commits[phase * k + party] == H(b"publish/commit", study, place, body)
        for index, c in enumerate(coordinates):
            value = integer(body[32 + 24 * index : 56 + 24 * index])
            assert value <= count * (FIELD - 1)
            total[index] += value
            rest[party] = add(rest[party], neg(mul(value, bases[c])))
        evidence = body[32 + 24 * len(coordinates) :]
        scalars = [int.from_bytes(evidence[i : i + 32], "little") for i in range(0, len(evidence), 32)]
        if not closed:
            assert equal(rest[party], mul(scalars[0], blinding))
            continue
        encoded = bytes.fromhex(VECTORS["rests"][phase][party])
        assert equal(rest[party], decode(encoded))
        claim = study + place + encoded + b"".join(c.to_bytes(4, "big") for c in closed)
        e = int.from_bytes(W(b"pedersen/challenge", claim, evidence[:32]), "little") % L
        left = mul(scalars[1], blinding)
        for z, c in zip(scalars[2:], closed, strict=True):
            left = add(left, mul(z, bases[c]))
        assert equal(left, add(decode(evidence[:32]), mul(e, rest[party])))
    for c, value in zip(coordinates, total):
        totals[c] = value % FIELD if value % FIELD <= FIELD // 2 else value % FIELD - FIELD
        assert 0 <= totals[c] <= int(VECTORS["bounds"][c])
assert totals == [total and int(total) for total in VECTORS["totals"]]

# 8. The result.
coded = b"".join(b"\0" if t is None else b"\1" + t.to_bytes(16, "big", signed=True) for t in totals)
words = study + signed[0][:48] + fates + rejections + coded
result = sections[4][0]
assert result[:53] == b"\1" + signed[0][:48] + d.to_bytes(4, "big")
fate_of_each = b"".join(submission + bytes([reason]) for submission, reason in rejected)
assert result[53:] == coded + rejections[4:] + fate_of_each + bytes([k]) + b"".join(of(6))
for key, signature in zip(keys, of(6)):
    verify(key, signature, b"publish/result", words)
print(f"{count} submissions, {records} records, totals {totals}: all of it holds")
