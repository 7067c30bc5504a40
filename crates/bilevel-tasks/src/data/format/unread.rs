//! Files of kinds that are not read, by their first bytes.

use super::file::Start;
use crate::data::malformed::Malformed;

/// What a kind is called, its first bytes, and what helps.
const KINDS: &[(&str, &[u8], &str)] = &[
    #[cfg(not(feature = "columnar"))]
    ("a Parquet file", b"PAR1", NOT_BUILT),
    #[cfg(not(feature = "columnar"))]
    ("an Arrow file", b"ARROW1", NOT_BUILT),
    (
        "an old Excel workbook",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        SAVE_AS_CSV,
    ),
    (
        "a bzip2 file",
        b"BZh",
        "unpack it first (bunzip2), or pack it with gzip or zstd",
    ),
    (
        "an xz file",
        b"\xfd7zXZ\0",
        "unpack it first (unxz), or pack it with gzip or zstd",
    ),
    ("a 7z archive", b"7z\xbc\xaf\x27\x1c", "unpack it first"),
    (
        "an LZ4 file",
        b"\x04\x22\x4d\x18",
        "unpack it first (unlz4), or pack it with gzip or zstd",
    ),
    ("an HDF5 file", b"\x89HDF\r\n\x1a\n", HDF5),
    ("a PNG image", b"\x89PNG\r\n\x1a\n", FOLDER),
    ("a JPEG image", b"\xff\xd8\xff", FOLDER),
    ("a GIF image", b"GIF8", FOLDER),
    ("a PDF document", b"%PDF", SAVE_AS_CSV),
    (
        "a SQLite database",
        b"SQLite format 3\0",
        "export the table as CSV",
    ),
    (
        "a file of the first Feather format",
        b"FEA1",
        "save it anew with pyarrow.feather.write_feather, or as Parquet",
    ),
    ("an ORC file", b"ORC", "save it as Parquet or CSV"),
    ("an Avro file", b"Obj\x01", "save it as Parquet or CSV"),
];

#[cfg(not(feature = "columnar"))]
const NOT_BUILT: &str =
    "this program was built without the feature `columnar`, which reads it: save the table as CSV";
const SAVE_AS_CSV: &str = "save the table as CSV";
const FOLDER: &str = "for pictures, name a folder with one folder of pictures for each class";
const HDF5: &str = "save its arrays with numpy.savez, or the table as Parquet";
const PICKLE: &str = "a pickle can run any code when it is read: save its arrays with numpy.savez, or the table as Parquet";

/// What this file is, and what helps.
pub(super) fn name(start: &Start<'_>, formats: &[&str]) -> Malformed {
    let expected = "a data file";
    let known = KINDS.iter().find(|(_, magic, _)| start.has(magic));
    if let Some((name, _, remedy)) = known {
        return Malformed::new(expected, *name).remedy(*remedy);
    }
    if start.has(b"PK\x03\x04") || start.has(b"PK\x05\x06") {
        return zip(start).unwrap_or_else(|| {
            Malformed::new(expected, "a ZIP archive").remedy("unpack it first")
        });
    }
    if start.has(b"MATLAB 7.3 MAT-file") {
        return Malformed::new(expected, "a MATLAB file of version 7.3, which is HDF5")
            .remedy("save it with save(…, '-v7'), or its arrays with numpy.savez");
    }
    if matches!(start.bytes, [0x80, 2..=5, ..]) {
        return Malformed::new(expected, "a Python pickle").remedy(PICKLE);
    }
    let hex: Vec<String> = start
        .bytes
        .iter()
        .take(8)
        .map(|b| format!("{b:02x}"))
        .collect();
    Malformed::new(
        format!("one of {}", formats.join(", ")),
        format!("other bytes: {}", hex.join(" ")),
    )
}

/// Archives that are documents of another program.
fn zip(start: &Start<'_>) -> Option<Malformed> {
    let contains = |part: &[u8]| start.bytes.windows(part.len()).any(|window| window == part);
    let expected = "a data file";
    if contains(b"xl/") || contains(b"[Content_Types].xml") {
        Some(Malformed::new(expected, "an Excel workbook").remedy(SAVE_AS_CSV))
    } else if contains(b"opendocument") {
        Some(Malformed::new(expected, "an OpenDocument spreadsheet").remedy(SAVE_AS_CSV))
    } else if contains(b"data.pkl") {
        Some(Malformed::new(expected, "a PyTorch file, which is a pickle").remedy(PICKLE))
    } else {
        None
    }
}
