//! NPY files, whole and broken.
#![cfg(test)]

use super::*;
use proptest::prelude::*;

fn from_bytes(bytes: &[u8]) -> Result<Array, String> {
    parse(&mut { bytes }).map_err(|failure| {
        let text = failure.at(Path::new("a")).to_string();
        text.strip_prefix("a: ").unwrap_or(&text).to_owned()
    })
}

/// As numpy.save writes it.
fn file(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend([1, 0]);
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

fn header(element: &str, fortran: &str, shape: &str) -> String {
    format!("{{'descr': {element}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n")
}

fn problem(bytes: &[u8]) -> String {
    from_bytes(bytes).unwrap_err()
}

#[test]
fn every_type_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npy");
    for values in [
        Values::F32(vec![1.5, -2.0, f32::MAX]),
        Values::F64(vec![1.5, -2.0, f64::MIN_POSITIVE]),
        Values::I32(vec![1, -2, i32::MAX]),
        Values::I64(vec![1, -2, i64::MIN]),
        Values::U8(vec![0, 1, 255]),
    ] {
        write_vector(&path, values.clone()).unwrap();
        let array = read(&path).unwrap();
        assert_eq!((array.shape.as_slice(), &array.values), (&[3][..], &values));
        let length = fs::metadata(&path).unwrap().len() as usize;
        assert!(length > ALIGNMENT);
    }
}

#[test]
fn both_orders_give_the_same_array() {
    // [[1, 2, 3], [4, 5, 6]]
    let c = file(&header("'|u1'", "False", "(2, 3)"), &[1, 2, 3, 4, 5, 6]);
    let fortran = file(&header("'|u1'", "True", "(2, 3)"), &[1, 4, 2, 5, 3, 6]);
    assert_eq!(from_bytes(&c).unwrap(), from_bytes(&fortran).unwrap());
    // a[i, j, k] = 4i + 2j + k
    let cube = file(
        &header("'|u1'", "True", "(2, 2, 2)"),
        &[0, 4, 2, 6, 1, 5, 3, 7],
    );
    assert_eq!(
        from_bytes(&cube).unwrap().values,
        Values::U8((0..8).collect())
    );
    let number = file(&header("'<i4'", "False", "()"), &7_i32.to_le_bytes());
    let number = from_bytes(&number).unwrap();
    assert_eq!(
        (number.shape, number.values),
        (vec![], Values::I32(vec![7]))
    );
}

/// As NumPy stores 1, 2 and the largest number of each type.
#[test]
fn integers_of_all_widths_and_both_byte_orders() {
    let texts = |all: [&str; 2]| Values::Text(all.map(str::to_owned).to_vec());
    let cases: [(&str, &[u8], Values); 16] = [
        ("|b1", &[1, 0, 1], Values::Bool(vec![true, false, true])),
        ("|i1", &[1, 2, 255], Values::I32(vec![1, 2, -1])),
        (
            "<i2",
            &[1, 0, 2, 0, 255, 127],
            Values::I32(vec![1, 2, 32767]),
        ),
        (
            ">i2",
            &[0, 1, 0, 2, 127, 255],
            Values::I32(vec![1, 2, 32767]),
        ),
        (
            "<u2",
            &[1, 0, 2, 0, 255, 255],
            Values::I32(vec![1, 2, 65535]),
        ),
        (
            ">u2",
            &[0, 1, 0, 2, 255, 255],
            Values::I32(vec![1, 2, 65535]),
        ),
        (
            "<u4",
            &[1, 0, 0, 0, 2, 0, 0, 0, 255, 255, 255, 255],
            Values::I64(vec![1, 2, 4_294_967_295]),
        ),
        (
            ">i4",
            &[0, 0, 0, 1, 0, 0, 0, 2, 127, 255, 255, 255],
            Values::I32(vec![1, 2, i32::MAX]),
        ),
        ("<u8", &[1, 0, 0, 0, 0, 0, 0, 0], Values::I64(vec![1])),
        (">i8", &[0, 0, 0, 0, 0, 0, 1, 0], Values::I64(vec![256])),
        (">f4", &[63, 192, 0, 0], Values::F32(vec![1.5])),
        (
            "<f2",
            &[0, 62, 0, 124, 1, 0, 0, 193],
            Values::F32(vec![1.5, f32::INFINITY, 2.0_f32.powi(-24), -2.5]),
        ),
        (">f2", &[62, 0], Values::F32(vec![1.5])),
        (
            "<U2",
            &[97, 0, 0, 0, 0, 0, 0, 0, 98, 0, 0, 0, 99, 0, 0, 0],
            texts(["a", "bc"]),
        ),
        ("|S2", b"a\0bc", texts(["a", "bc"])),
        (">f8", &[63, 248, 0, 0, 0, 0, 0, 0], Values::F64(vec![1.5])),
    ];
    for (element, data, values) in cases {
        let length = values.len();
        let bytes = file(
            &header(&format!("'{element}'"), "False", &format!("({length},)")),
            data,
        );
        assert_eq!(from_bytes(&bytes).unwrap().values, values, "{element}");
    }
    let large = file(&header("'<u8'", "False", "(1,)"), &[255; 8]);
    assert_eq!(
        problem(&large),
        "element 0: expected an integer up to 9223372036854775807, found 18446744073709551615"
    );
}

/// From a file: gzipped, with the shape as Python 2 wrote it; too long, packed or not.
#[test]
fn files_are_unpacked_and_read_no_further_than_they_declare() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npy");
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let whole = file(&header("'|u1'", "False", "(2L, 3L)"), &[1, 2, 3, 4, 5, 6]);
    for bytes in [whole.clone(), gzip(&whole), gzip(&gzip(&whole))] {
        fs::write(&path, &bytes).unwrap();
        let array = read(&path).unwrap();
        assert_eq!(
            (array.shape, array.values),
            (vec![2, 3], Values::U8(vec![1, 2, 3, 4, 5, 6]))
        );
    }
    let long = [&whole[..], &vec![0; 50_000_000]].concat();
    let (_, peak) = {
        fs::write(&path, gzip(&long)).unwrap();
        let mut message = String::new();
        let used = allocation_counter::measure(|| {
            message = read(&path).unwrap_err().to_string();
        });
        assert!(
            message.ends_with("after the header, found 50000006 bytes"),
            "{message}"
        );
        (message, used.bytes_max)
    };
    assert!(peak < 1_000_000, "{peak}");
    let packed = gzip(&whole);
    fs::write(&path, &packed[..packed.len() - 4]).unwrap();
    let message = read(&path).unwrap_err().to_string();
    assert!(
        message.contains("a whole file of gzip or zstd"),
        "{message}"
    );
}

#[test]
fn longer_headers_of_later_versions_are_read() {
    let text = header("'|u1'", "False", "(1,)");
    let mut bytes = MAGIC.to_vec();
    bytes.extend([2, 0]);
    bytes.extend((text.len() as u32).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes.push(9);
    assert_eq!(from_bytes(&bytes).unwrap().values, Values::U8(vec![9]));
}

#[test]
fn what_is_wrong_is_said() {
    assert!(problem(b"").ends_with("found 0 bytes in all"));
    assert!(problem(b"PK\x03\x04 a zip file").contains("found other bytes"));
    assert_eq!(
        problem(b"\x93NUMPY\x09\x01\x00\x00\x00\x00"),
        "expected NPY version 1.0, 2.0 or 3.0, found 9.1"
    );
    // A header of 4 GB in a file of 12 bytes.
    assert!(problem(b"\x93NUMPY\x02\x00\xff\xff\xff\xff").ends_with("found 12 bytes in all"));
    assert!(problem(b"\x93NUMPY").ends_with("found 6 bytes in all"));
    let whole = file(&header("'<f4'", "False", "(2,)"), &[0; 8]);
    assert!(problem(&whole[..20]).contains("header that ends at byte"));
    assert_eq!(
        problem(&whole[..whole.len() - 1]),
        "expected the bytes of 2 elements of type <f4 after the header, found 7 bytes"
    );
    for element in [
        "'|f4'",
        "'é4'",
        "''",
        "'|O'",
        "'<c8'",
        "[('a', '<f4'), ('b', '<i4')]",
    ] {
        let found = problem(&file(&header(element, "False", "(2,)"), &[0; 8]));
        let element = element.trim_matches('\'');
        assert!(found.contains(&format!("of type {element};")), "{found}");
    }
    // More elements than any machine holds, and a product that overflows.
    for shape in ["(99999999999,)", "(4294967296, 4294967296, 4294967296)"] {
        let text = problem(&file(&header("'<f8'", "False", shape), &[0; 8]));
        assert!(text.ends_with("found 8 bytes"), "{text}");
    }
    for text in [
        "{}",
        "{'descr': '<f4'}",
        "[1]",
        "{'descr': '<f4', 'fortran_order': 1, 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': 3}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'more': 1}",
    ] {
        assert!(
            problem(&file(text, &[])).contains("expected a header"),
            "{text}"
        );
    }
}

#[test]
fn shapes_and_classes_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npy");
    let message = |values| {
        write_vector(&path, values).unwrap();
        read_classes(&path).unwrap_err().to_string()
    };
    assert!(message(Values::F32(vec![1.0, 0.5])).contains("element 1: expected a class"));
    assert!(message(Values::F64(vec![f64::NAN])).ends_with("found NaN"));
    assert!(message(Values::I64(vec![0, -1])).contains("element 1"));
    for values in [
        Values::I64(vec![3, 0]),
        Values::F32(vec![3.0, 0.0]),
        Values::F64(vec![3.0, -0.0]),
    ] {
        write_vector(&path, values).unwrap();
        assert_eq!(read_classes(&path).unwrap(), [3, 0]);
        assert_eq!(read_vector(&path).unwrap(), [3.0, 0.0]);
    }
    assert!(read_matrix(&path).is_err());
    assert!(read_matrix(&folder.path().join("none.npy")).is_err());
}

proptest! {
    /// Whatever the bytes, an answer comes.
    #[test]
    fn nothing_panics(header in "\\PC{0,60}", data in prop::collection::vec(any::<u8>(), 0..40)) {
        let _ = from_bytes(&file(&header, &data));
        let _ = from_bytes(&data);
    }
}
