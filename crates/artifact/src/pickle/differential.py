"""Generates pickles, and says of each what CPython makes of it: one line with hexadecimal bytes, where the
disassembler and the unpickler stop (-1 where they fail), and the names that the unpickler asks for."""
import io
import pickle
import pickletools
import random
import struct
import sys

random.seed(int(sys.argv[1]))
NAMES = [("os", "system"), ("builtins", "eval"), ("numpy", "ndarray"), ("collections", "OrderedDict"), ("a.b", "c.d")]


class Any:
    def __new__(cls, *args, **named):
        return object.__new__(cls)

    def __init__(self, *args, **named):
        pass

    def __setstate__(self, state):
        pass

    def __setitem__(self, key, value):
        pass

    def append(self, value):
        pass

    def extend(self, values):
        pass

    def add(self, value):
        pass


class Reader(pickle.Unpickler):
    """The unpickler of C, with names that stand for nothing."""

    def __init__(self, file):
        super().__init__(file, encoding="latin1")
        self.asked = []

    def find_class(self, module, name):
        self.asked.append((module, name))
        return type("Stub", (Any,), {})

    def persistent_load(self, key):
        return Any()


def short(text):
    return b"\x8c" + bytes([len(text)]) + text.encode()


def constant():
    number = random.randrange(-300, 70000)
    text = random.choice(["os", "system", "builtins", "x", "caf\u00e9"])
    return random.choice([
        lambda: b"N", lambda: b"\x88", lambda: b"\x89", lambda: b"K" + bytes([number % 256]),
        lambda: b"M" + struct.pack("<H", number % 65536), lambda: b"J" + struct.pack("<i", number),
        lambda: b"I%d\n" % number, lambda: b"I01\n", lambda: b"L%dL\n" % number, lambda: b"F1.5\n",
        lambda: b"G" + struct.pack(">d", 0.5), lambda: b"\x8a\x02\x01\x02", lambda: short(text),
        lambda: b"X" + struct.pack("<I", len(text.encode())) + text.encode(), lambda: b"S'a\\x41b'\n", lambda: b"Vab\\u0041\n",
        lambda: b"U\x02ab", lambda: b"T\x02\0\0\0ab", lambda: b"C\x02ab", lambda: b"B\x02\0\0\0ab",
        lambda: b"\x8e" + struct.pack("<Q", 2) + b"ab", lambda: b"\x96" + struct.pack("<Q", 2) + b"ab",
        lambda: b"]", lambda: b")", lambda: b"}", lambda: b"\x8f", lambda: b"Pab\n",
        lambda: b"\x8d" + struct.pack("<Q", 2) + b"ab",
    ])()


def name():
    module, attribute = random.choice(NAMES)
    return random.choice([
        lambda: b"c%s\n%s\n" % (module.encode(), attribute.encode()),
        lambda: short(module) + short(attribute) + b"\x93",
        lambda: short(module) + b"\x94" + short(attribute) + b"\x94\x93",
    ])()


def stream():
    """A stack of kinds is followed, so that most streams run for long; some are broken on purpose."""
    out, stack, memo = [b"\x80" + bytes([random.randrange(6)])] if random.random() < 0.8 else [], [], 0
    for _ in range(random.randrange(1, 40)):
        free = len(stack) - (max((n for n, k in enumerate(stack) if k == "mark"), default=-1) + 1)
        choice = random.randrange(20)
        if choice < 6 or free == 0 and choice < 16:
            out.append(constant())
            stack.append("list" if out[-1] == b"]" else "dict" if out[-1] == b"}" else "any")
        elif choice == 6:
            out.append(name())
            stack.append("name")
        elif choice == 7:
            out.append(b"(")
            stack.append("mark")
        elif choice == 8 and "mark" in stack:
            kind = random.choice([b"t", b"l", b"1", b"\x91"] + ([b"d"] if free % 2 == 0 else []))
            while stack.pop() != "mark":
                pass
            out.append(kind)
            if kind != b"1":
                stack.append("any")
        elif choice == 9 and free >= 1:
            out.append(b"\x85")
            stack[-1] = "any"
        elif choice == 10 and free >= 2:
            out.append(b"\x86")
            stack[-2:] = ["any"]
        elif choice in (11, 12):
            out.append(name() + (constant() + b"\x85" if random.random() < 0.7 else b")") + random.choice([b"R", b"\x81"]))
            stack.append("any")
        elif choice == 13:
            out.append(b"(" + name() + constant() + b"o")
            stack.append("any")
        elif choice == 14:
            module, attribute = random.choice(NAMES)
            out.append(b"(" + constant() + b"i%s\n%s\n" % (module.encode(), attribute.encode()))
            stack.append("any")
        elif choice == 15 and free >= 1:
            out.append(random.choice([b"\x94", b"q" + bytes([random.randrange(9)]), b"p%d\n" % random.randrange(9)]))
            memo += 1
        elif choice == 16 and memo:
            out.append(random.choice([b"h\0", b"g0\n", b"j\0\0\0\0"]))
            stack.append("any")
        elif choice == 17 and free >= 1:
            out.append(random.choice([b"0", b"2"]))
            if out[-1] == b"0":
                stack.pop()
            else:
                stack.append(stack[-1])
        elif choice == 18 and free >= 1 and stack[-1] == "list":
            out.append(random.choice([constant() + b"a", b"(" + constant() + constant() + b"e"]))
        elif choice == 18 and free >= 1 and stack[-1] == "dict":
            out.append(random.choice([b"K\1" + constant() + b"s", b"(K\1" + constant() + b"K\2" + constant() + b"u"]))
        elif choice == 19 and random.random() < 0.3:
            # But those for which CPython allocates what they only claim.
            out.append(bytes([random.choice([b for b in range(256) if b not in b"rp\x96"])]))
    body = b"".join(out) + b"."
    if random.random() < 0.1:
        body = body[: random.randrange(len(body))]
    elif random.random() < 0.2 and len(body) > 6 and body[0] == 0x80:
        body = body[:2] + b"\x95" + struct.pack("<Q", len(body) - 2 + random.choice([0, 0, 0, 1, -1])) + body[2:]
    return body


for _ in range(int(sys.argv[2])):
    data = stream()
    try:
        end = [place for _, _, place in pickletools.genops(data)][-1] + 1
    except Exception:
        end = -1
    file = io.BytesIO(data)
    reader = Reader(file)
    try:
        reader.load()
        loaded = file.tell()
    except Exception:
        loaded = -1
    print(data.hex() or "-", end, loaded, ";".join(m + "|" + n for m, n in reader.asked) or "-")
