"""Writes the same twelve rows in every format, each with its own ecosystem.

    python make.py FOLDER

What a row holds is said by `row`; the test `formats` reads every file and expects these
values. Formats whose library is not installed are passed over, and named on the last line.
"""

import gzip
import io
import os
import struct
import sys

folder = sys.argv[1]
ROWS = 12
missing = []


def row(i):
    """a number, a whole number, a text, a boolean, a date and the label."""
    return (i * 0.5 - 2.25, (i * 7) % 5, ["red", "green", "blue"][i % 3], i % 4 == 0,
            f"2024-02-{i + 20:02d}" if i < 9 else f"2024-03-{i - 8:02d}", ["cat", "dog"][i % 2])


def pixel(i, y, x, channel):
    return (i * 20 + y * 3 + x * 2 + channel * 5) % 256


def path(name):
    return os.path.join(folder, name)


def needs(*names):
    def decorate(write):
        try:
            for name in names:
                __import__(name)
        except ImportError:
            missing.append("/".join(names))
            return write
        write()
        return write
    return decorate


COLUMNS = ["a", "b", "kind", "flag", "day", "y"]


@needs()
def plain_csv():
    with open(path("rows.csv"), "w", newline="") as file:
        file.write(",".join(COLUMNS) + "\r\n")
        for i in range(ROWS):
            file.write(",".join(map(str, row(i))) + "\r\n")


@needs("pandas", "numpy")
def pandas_files():
    import pandas
    frame = pandas.DataFrame([row(i) for i in range(ROWS)], columns=COLUMNS)
    frame.to_csv(path("pandas.csv"), index=False)
    frame.to_csv(path("pandas_index.csv"))
    frame.to_csv(path("pandas.csv.gz"), index=False)
    frame.to_csv(path("pandas_decimal.csv"), index=False, sep=";", decimal=",")
    frame.to_csv(path("pandas.tsv"), index=False, sep="\t")
    frame.to_csv(path("pandas_utf16.csv"), index=False, sep="\t", encoding="utf-16")
    frame["day"] = pandas.to_datetime(frame["day"])
    frame["kind"] = frame["kind"].astype("category")
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        return
    for compression in ["snappy", "gzip", "zstd", "lz4", None]:
        frame.to_parquet(path(f"pandas_{compression}.parquet"), compression=compression)
    frame.to_feather(path("pandas.feather"))


@needs("pyarrow")
def pyarrow_files():
    import datetime
    import pyarrow
    import pyarrow.parquet
    columns = list(zip(*[row(i) for i in range(ROWS)]))
    days = [datetime.date.fromisoformat(day) for day in columns[4]]
    arrays = [
        pyarrow.array(columns[0], pyarrow.float32()),
        pyarrow.array(columns[1], pyarrow.uint8()),
        pyarrow.array(columns[2]).dictionary_encode(),
        pyarrow.array(columns[3]),
        pyarrow.array(days, pyarrow.date32()),
        pyarrow.array(columns[5]),
    ]
    table = pyarrow.table(arrays, COLUMNS)
    pyarrow.parquet.write_table(table, path("groups.parquet"), row_group_size=5)
    pyarrow.parquet.write_table(table, path("old.parquet"), version="1.0",
                                use_dictionary=False, data_page_version="2.0")
    with pyarrow.ipc.new_file(path("rows.arrow"), table.schema) as writer:
        writer.write_table(table, max_chunksize=5)
    options = pyarrow.ipc.IpcWriteOptions(compression="zstd")
    with pyarrow.ipc.new_stream(path("stream.arrows"), table.schema, options=options) as writer:
        writer.write_table(table)
    # Embeddings: lists of one length.
    lists = [[row(i)[0], float(row(i)[1])] for i in range(ROWS)]
    embedded = pyarrow.table({"v": lists, "y": columns[5]})
    pyarrow.parquet.write_table(embedded, path("lists.parquet"))
    fixed = pyarrow.array(lists, pyarrow.list_(pyarrow.float32(), 2))
    table = pyarrow.table({"v": fixed, "y": columns[5]})
    with pyarrow.ipc.new_file(path("lists.arrow"), table.schema) as writer:
        writer.write_table(table)


@needs("numpy")
def numpy_files():
    import numpy
    x = numpy.array([[row(i)[0], row(i)[1]] for i in range(ROWS)])
    labels = [row(i)[5] for i in range(ROWS)]
    for kind in ["f2", "f4", "f8", ">f4", ">f8"]:
        numpy.save(path(f"x_{kind.replace('>', 'big_')}.npy"), x.astype(kind))
    numpy.save(path("x_fortran.npy"), numpy.asfortranarray(x))
    numpy.save(path("y_U.npy"), numpy.array(labels))
    numpy.save(path("y_S.npy"), numpy.array(labels, "S"))
    numpy.save(path("y_column.npy"), numpy.array(labels)[:, None])
    whole = numpy.arange(ROWS) % 2
    for kind in ["b1", "i1", "u2", "i8", "u8", "f4"]:
        numpy.save(path(f"y_{kind}.npy"), whole.astype(kind))
    numpy.savez(path("named.npz"), x=x, y=numpy.array(labels))
    numpy.savez_compressed(path("packed.npz"), x, numpy.array(labels))
    images = numpy.array([[[pixel(i, y, c, 0) for c in range(4)] for y in range(3)]
                          for i in range(ROWS)], "u1")
    numpy.savez(path("images.npz"), x_train=images, y_train=whole,
                x_test=images[:5], y_test=whole[:5])


@needs("scipy")
def scipy_files():
    import numpy
    import scipy.io
    x = numpy.array([[row(i)[0], row(i)[1]] for i in range(ROWS)])
    whole = numpy.arange(ROWS) % 2
    scipy.io.savemat(path("rows.mat"), {"X": x, "y": whole}, do_compression=False)
    scipy.io.savemat(path("packed.mat"), {"X": x, "y": whole[:, None]}, do_compression=True)
    # As the Street View House Numbers are stored: rows last.
    images = numpy.array([[[[pixel(i, y, c, k) for i in range(ROWS)] for k in range(3)]
                           for c in range(4)] for y in range(3)], "u1")
    scipy.io.savemat(path("svhn.mat"), {"X": images, "y": (whole + 1).astype("u1")[:, None]},
                     do_compression=True)


@needs("sklearn")
def sklearn_files():
    import numpy
    from sklearn.datasets import dump_svmlight_file
    x = numpy.array([[row(i)[0], row(i)[1]] for i in range(ROWS)])
    whole = numpy.arange(ROWS) % 2
    dump_svmlight_file(x, whole, path("rows.svm"), zero_based=False)
    dump_svmlight_file(x, whole, path("zero.svm"), zero_based=True, comment="two columns")


@needs()
def binary_files():
    """IDX and CIFAR, which have no library of their own."""
    pixels = bytes(pixel(i, y, x, 0) for i in range(ROWS) for y in range(3) for x in range(4))
    with open(path("images.idx"), "wb") as file:
        file.write(struct.pack(">BBBBIII", 0, 0, 8, 3, ROWS, 3, 4) + pixels)
    labels = bytes(i % 2 for i in range(ROWS))
    with gzip.open(path("labels.idx.gz"), "wb") as file:
        file.write(struct.pack(">BBBBI", 0, 0, 8, 1, ROWS) + labels)
    extended = b"".join(struct.pack(">8i", i % 2, 9, 9, 9, 9, 9, 9, 9) for i in range(ROWS))
    with open(path("qmnist.idx"), "wb") as file:
        file.write(struct.pack(">BBBBII", 0, 0, 12, 2, ROWS, 8) + extended)
    record = b"".join(bytes([i % 2]) + bytes(pixel(i, y, x, c) for c in range(3)
                      for y in range(32) for x in range(32)) for i in range(2))
    with gzip.open(path("cifar10.bin.gz"), "wb") as file:
        file.write(record)
    record = b"".join(bytes([i % 2, 50 + i % 2]) + bytes(pixel(i, y, x, c) for c in range(3)
                      for y in range(32) for x in range(32)) for i in range(2))
    with gzip.open(path("cifar100.bin.gz"), "wb") as file:
        file.write(record)


@needs("PIL")
def pictures():
    from PIL import Image
    for i in range(4):
        name = path(os.path.join("pictures", row(i)[5]))
        os.makedirs(name, exist_ok=True)
        grey = Image.new("L", (4, 3))
        grey.putdata([pixel(i, y, x, 0) for y in range(3) for x in range(4)])
        grey.save(os.path.join(name, f"{i}.png"))
    for i in range(2):
        name = path(os.path.join("photographs", row(i)[5]))
        os.makedirs(name, exist_ok=True)
        colour = Image.new("RGB", (8, 8), (200, 40, 90) if i == 0 else (20, 180, 60))
        colour.save(os.path.join(name, f"{i}.jpg"), quality=95)


@needs("PIL")
def kinds():
    """Pictures of one colour, (200, 40, 90), in the ways that files hold it; a JPEG for print has other channels."""
    from PIL import Image
    os.makedirs(path("kinds"), exist_ok=True)
    colour = Image.new("RGB", (8, 8), (200, 40, 90))
    colour.quantize(4).save(path(os.path.join("kinds", "palette.png")))
    colour.convert("RGBA").save(path(os.path.join("kinds", "alpha.png")))
    colour.convert("CMYK").save(path(os.path.join("kinds", "print.jpg")), quality=95)
    colour.save(path(os.path.join("kinds", "progressive.jpg")), quality=95, progressive=True)


@needs("zstandard")
def packed():
    import zstandard
    text = io.StringIO()
    text.write(",".join(COLUMNS) + "\n")
    for i in range(ROWS):
        text.write(",".join(map(str, row(i))) + "\n")
    with open(path("rows.csv.zst"), "wb") as file:
        file.write(zstandard.compress(text.getvalue().encode()))


print("not installed:", ", ".join(missing) or "none")
