//! NPY files, whole and broken.
#![cfg(test)]

use super::*;
use proptest::prelude::*;

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
    NpyArray::from_bytes(bytes).unwrap_err().to_string()
}

#[test]
fn every_type_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npy");
    for values in [
        NpyValues::F32(vec![1.5, -2.0, f32::MAX]),
        NpyValues::F64(vec![1.5, -2.0, f64::MIN_POSITIVE]),
        NpyValues::I32(vec![1, -2, i32::MAX]),
        NpyValues::I64(vec![1, -2, i64::MIN]),
        NpyValues::U8(vec![0, 1, 255]),
    ] {
        write_vector(&path, values.clone()).unwrap();
        let array = NpyArray::read(&path).unwrap();
        assert_eq!((array.shape.as_slice(), &array.values), (&[3][..], &values));
        let length = fs::metadata(&path).unwrap().len() as usize;
        let width = array.to_f64().len();
        assert_eq!(width, 3);
        assert!(length > ALIGNMENT);
    }
}

#[test]
fn both_orders_give_the_same_array() {
    // [[1, 2, 3], [4, 5, 6]]
    let c = file(&header("'|u1'", "False", "(2, 3)"), &[1, 2, 3, 4, 5, 6]);
    let fortran = file(&header("'|u1'", "True", "(2, 3)"), &[1, 4, 2, 5, 3, 6]);
    assert_eq!(
        NpyArray::from_bytes(&c).unwrap(),
        NpyArray::from_bytes(&fortran).unwrap()
    );
    // a[i, j, k] = 4i + 2j + k
    let cube = file(
        &header("'|u1'", "True", "(2, 2, 2)"),
        &[0, 4, 2, 6, 1, 5, 3, 7],
    );
    assert_eq!(
        NpyArray::from_bytes(&cube).unwrap().values,
        NpyValues::U8((0..8).collect())
    );
    let number = file(&header("'<i4'", "False", "()"), &7_i32.to_le_bytes());
    let number = NpyArray::from_bytes(&number).unwrap();
    assert_eq!(
        (number.shape, number.values),
        (vec![], NpyValues::I32(vec![7]))
    );
}

/// As NumPy stores 1, 2 and the largest number of each type.
#[test]
fn integers_of_all_widths_and_both_byte_orders() {
    let cases: [(&str, &[u8], NpyValues); 12] = [
        ("|b1", &[1, 0, 1], NpyValues::U8(vec![1, 0, 1])),
        ("|i1", &[1, 2, 255], NpyValues::I32(vec![1, 2, -1])),
        (
            "<i2",
            &[1, 0, 2, 0, 255, 127],
            NpyValues::I32(vec![1, 2, 32767]),
        ),
        (
            ">i2",
            &[0, 1, 0, 2, 127, 255],
            NpyValues::I32(vec![1, 2, 32767]),
        ),
        (
            "<u2",
            &[1, 0, 2, 0, 255, 255],
            NpyValues::I32(vec![1, 2, 65535]),
        ),
        (
            ">u2",
            &[0, 1, 0, 2, 255, 255],
            NpyValues::I32(vec![1, 2, 65535]),
        ),
        (
            "<u4",
            &[1, 0, 0, 0, 2, 0, 0, 0, 255, 255, 255, 255],
            NpyValues::I64(vec![1, 2, 4_294_967_295]),
        ),
        (
            ">i4",
            &[0, 0, 0, 1, 0, 0, 0, 2, 127, 255, 255, 255],
            NpyValues::I32(vec![1, 2, i32::MAX]),
        ),
        ("<u8", &[1, 0, 0, 0, 0, 0, 0, 0], NpyValues::I64(vec![1])),
        (">i8", &[0, 0, 0, 0, 0, 0, 1, 0], NpyValues::I64(vec![256])),
        (">f4", &[63, 192, 0, 0], NpyValues::F32(vec![1.5])),
        (
            ">f8",
            &[63, 248, 0, 0, 0, 0, 0, 0],
            NpyValues::F64(vec![1.5]),
        ),
    ];
    for (element, data, values) in cases {
        let length = values_len(&values);
        let bytes = file(
            &header(&format!("'{element}'"), "False", &format!("({length},)")),
            data,
        );
        assert_eq!(
            NpyArray::from_bytes(&bytes).unwrap().values,
            values,
            "{element}"
        );
    }
    let large = file(&header("'<u8'", "False", "(1,)"), &[255; 8]);
    assert_eq!(
        problem(&large),
        "element 0: expected an integer up to 9223372036854775807, found 18446744073709551615"
    );
}

fn values_len(values: &NpyValues) -> usize {
    let array = NpyArray {
        shape: vec![],
        values: values.clone(),
    };
    array.to_f64().len()
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
        let array = NpyArray::read(&path).unwrap();
        assert_eq!(
            (array.shape, array.values),
            (vec![2, 3], NpyValues::U8(vec![1, 2, 3, 4, 5, 6]))
        );
    }
    let long = [&whole[..], &vec![0; 50_000_000]].concat();
    let (_, peak) = {
        fs::write(&path, gzip(&long)).unwrap();
        let mut message = String::new();
        let used = allocation_counter::measure(|| {
            message = NpyArray::read(&path).unwrap_err().to_string();
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
    let message = NpyArray::read(&path).unwrap_err().to_string();
    assert!(message.contains("a whole gzip file"), "{message}");
}

#[test]
fn longer_headers_of_later_versions_are_read() {
    let text = header("'|u1'", "False", "(1,)");
    let mut bytes = MAGIC.to_vec();
    bytes.extend([2, 0]);
    bytes.extend((text.len() as u32).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes.push(9);
    assert_eq!(
        NpyArray::from_bytes(&bytes).unwrap().values,
        NpyValues::U8(vec![9])
    );
}

#[test]
fn what_is_wrong_is_said() {
    assert!(problem(b"").contains("found other bytes"));
    assert!(problem(b"PK\x03\x04 an npz").contains("a ZIP archive"));
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
        "'<f2'",
        "'<U3'",
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
fn shapes_and_labels_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npy");
    let message = |values| {
        write_vector(&path, values).unwrap();
        read_labels(&path).unwrap_err().to_string()
    };
    assert!(
        message(NpyValues::F32(vec![1.0, 0.5]))
            .ends_with("element 1: expected an integer, found 0.5")
    );
    assert!(message(NpyValues::F64(vec![f64::NAN])).ends_with("found NaN"));
    assert!(message(NpyValues::F64(vec![-2.0])).ends_with("found -2"));
    assert!(message(NpyValues::I64(vec![0, -1])).contains("element 1"));
    for values in [
        NpyValues::I64(vec![3, 0]),
        NpyValues::F32(vec![3.0, 0.0]),
        NpyValues::F64(vec![3.0, -0.0]),
    ] {
        write_vector(&path, values).unwrap();
        assert_eq!(read_labels(&path).unwrap(), [3, 0]);
    }
    let error = read_vector(&path, 3).unwrap_err().to_string();
    assert!(
        error.ends_with("expected an array of shape (3), found 2"),
        "{error}"
    );
    assert!(read_matrix(&path).is_err());
    assert!(read_matrix(&folder.path().join("none.npy")).is_err());
}

proptest! {
    /// Whatever the bytes, an answer comes.
    #[test]
    fn nothing_panics(header in "\\PC{0,60}", data in prop::collection::vec(any::<u8>(), 0..40)) {
        let _ = NpyArray::from_bytes(&file(&header, &data));
        let _ = NpyArray::from_bytes(&data);
    }
}
