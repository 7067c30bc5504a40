//! IDX files, whole and broken.
#![cfg(test)]

use super::*;
use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;
use std::io::Write;
use std::path::PathBuf;
use tempfile::TempDir;

fn idx(element: u8, dimensions: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, element, dimensions.len() as u8];
    bytes.extend(dimensions.iter().flat_map(|d| d.to_be_bytes()));
    bytes.extend(data);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn file(folder: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// The message of the error that reading these bytes gives, without the file's name.
fn problem(bytes: &[u8], limit: Option<usize>) -> String {
    let folder = TempDir::new().unwrap();
    let path = file(&folder, "broken", bytes);
    let message = IdxArray::read(&path, limit).unwrap_err().to_string();
    let name = format!("{}: ", path.display());
    message.strip_prefix(&name).unwrap().to_owned()
}

fn read(bytes: &[u8], limit: Option<usize>) -> IdxArray {
    let folder = TempDir::new().unwrap();
    IdxArray::read(&file(&folder, "whole", bytes), limit).unwrap()
}

#[test]
fn every_element_type_is_read() {
    let cases = [
        (0x08, vec![1, 255], IdxValues::U8(vec![1, 255])),
        (0x09, vec![1, 255], IdxValues::I8(vec![1, -1])),
        (0x0b, vec![1, 0, 255, 254], IdxValues::I16(vec![256, -2])),
        (
            0x0c,
            vec![0, 0, 1, 0, 255, 255, 255, 254],
            IdxValues::I32(vec![256, -2]),
        ),
        (
            0x0d,
            [1.5_f32, -2.0].map(f32::to_be_bytes).concat(),
            IdxValues::F32(vec![1.5, -2.0]),
        ),
        (
            0x0e,
            [1.5_f64, -2.0].map(f64::to_be_bytes).concat(),
            IdxValues::F64(vec![1.5, -2.0]),
        ),
    ];
    for (element, data, values) in cases {
        let bytes = idx(element, &[2, 1], &data);
        for bytes in [gzip(&bytes), bytes] {
            let array = read(&bytes, None);
            assert_eq!(array.values(), &values);
            assert_eq!(array.dimensions(), [2, 1]);
        }
    }
}

#[test]
fn the_first_rows_are_read_alone() {
    let bytes = idx(8, &[3, 2], &[1, 2, 3, 4, 5, 6]);
    for bytes in [gzip(&bytes), bytes] {
        let array = read(&bytes, Some(2));
        assert_eq!(array.dimensions(), [2, 2]);
        assert_eq!(array.declared_rows(), 3);
        assert_eq!(array.values(), &IdxValues::U8(vec![1, 2, 3, 4]));
        assert_eq!(read(&bytes, Some(9)).dimensions(), [3, 2]);
        assert_eq!(read(&bytes, Some(0)).dimensions(), [0, 2]);
    }
    // What is not asked for may be missing, what is asked for may not.
    let cut = idx(8, &[3, 2], &[1, 2, 3]);
    assert_eq!(read(&cut, Some(1)).values(), &IdxValues::U8(vec![1, 2]));
    assert_eq!(
        problem(&cut, Some(2)),
        "expected 4 bytes of data (2×2 unsigned bytes declared), found 3"
    );
}

#[test]
fn members_of_a_gzip_file_are_joined() {
    let bytes = idx(8, &[4], &[1, 2, 3, 4]);
    let joined = [gzip(&bytes[..9]), gzip(&bytes[9..])].concat();
    assert_eq!(
        read(&joined, None).values(),
        &IdxValues::U8(vec![1, 2, 3, 4])
    );
}

#[test]
fn unreadable_files_are_named() {
    let folder = TempDir::new().unwrap();
    for path in [folder.path().join("missing"), folder.path().to_owned()] {
        let error = IdxArray::read(&path, None).unwrap_err();
        assert!(matches!(&error, Error::Read { path: found, .. } if *found == path));
        assert!(error.to_string().contains("cannot be read: "), "{error}");
    }
}

#[test]
fn malformed_headers_are_explained() {
    let empty = "expected an IDX file, found no data";
    let cases: [(&[u8], &str); 9] = [
        (&[], empty),
        (
            &[0x50, 0x4b, 3, 4, 0],
            "expected an IDX file, which starts with the bytes 00 00, found 50 4b",
        ),
        (
            &[0x41, 0x42],
            "expected an IDX file, which starts with the bytes 00 00, found 41 42",
        ),
        (
            &[0, 1, 8, 1],
            "expected an IDX file, which starts with the bytes 00 00, found 00 01",
        ),
        (
            &[0, 0, 8],
            "expected a header of 4 bytes, found 3 bytes in all",
        ),
        (
            &[0, 0, 10, 1, 0, 0, 0, 0],
            "expected an element type of 08, 09, 0b, 0c, 0d or 0e (hexadecimal), found 0a",
        ),
        (&[0, 0, 8, 0], "expected at least one dimension, found none"),
        (
            &[0, 0, 8, 3, 0, 0, 0, 1, 0],
            "expected a header of 16 bytes, found 9 bytes in all",
        ),
        (&gzip(&[]), empty),
    ];
    for (bytes, expected) in cases {
        assert_eq!(problem(bytes, None), expected);
    }
}

#[test]
fn another_number_of_bytes_than_declared_is_explained() {
    let short = idx(0x0c, &[2, 3], &[0; 23]);
    let long = idx(0x0c, &[2, 3], &[0; 25]);
    for (short, long) in [(gzip(&short), gzip(&long)), (short, long)] {
        assert_eq!(
            problem(&short, None),
            "expected 24 bytes of data (2×3 32-bit integers declared), found 23"
        );
        assert_eq!(
            problem(&long, None),
            "expected 24 bytes of data (2×3 32-bit integers declared), found more"
        );
    }
}

#[test]
fn large_declarations_are_not_believed() {
    let most = u32::MAX;
    assert_eq!(
        problem(&idx(8, &[most, most, most], &[]), None),
        "expected dimensions that fit into memory, found 4294967295×4294967295×4294967295"
    );
    // Also when the rows that are asked for would fit, or there are none.
    for dimensions in [[most, 1 << 16, 1 << 16], [0, most, most]] {
        let message = problem(&idx(8, &dimensions, &[]), Some(1));
        assert!(message.contains("fit into memory"), "{message}");
    }
    // Nearly 2⁶³ bytes are declared: to allocate them first would fail.
    assert!(problem(&idx(8, &[most, 1 << 31], &[7; 9]), None).ends_with(", found 9"));
}

#[test]
fn damaged_gzip_files_are_explained() {
    // Incompressible enough that the cut falls inside the data.
    let data: Vec<u8> = (0..5000_u32).map(|i| (i * i / 7) as u8).collect();
    let whole = gzip(&idx(8, &[5000], &data));
    for cut in [2, 9, whole.len() / 2, whole.len() - 1] {
        let message = problem(&whole[..cut], None);
        assert!(
            message.starts_with("expected a whole gzip file, found it cut short or damaged"),
            "{message}"
        );
    }
    let half = problem(&whole[..whole.len() / 2], None);
    assert!(!half.contains("after 0 unpacked"), "{half}");
    // A wrong checksum, seen only at the very end.
    let mut damaged = whole.clone();
    let checksum = whole.len() - 8;
    damaged[checksum] ^= 1;
    assert!(problem(&damaged, None).contains("cut short or damaged after 5008 unpacked"));
}

/// Counts the bytes that are taken from it.
struct Counted<R>(R, std::rc::Rc<std::cell::Cell<usize>>);

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buffer)?;
        self.1.set(self.1.get() + read);
        Ok(read)
    }
}

#[test]
fn reading_stops_behind_the_declared_size() {
    let bytes = idx(8, &[10], &vec![0; 10_000_000]);
    let taken = std::rc::Rc::default();
    let result = parse_plain(Counted(&bytes[..], std::rc::Rc::clone(&taken)), None);
    assert!(matches!(
        result,
        Err(Failure::Problem(IdxProblem::TooManyBytes { .. }))
    ));
    assert_eq!(taken.get(), 8 + 10 + 1);
    assert!(problem(&gzip(&bytes), None).ends_with("found more"));
}

#[test]
fn the_first_of_eight_numbers_of_a_qmnist_label_is_the_class() {
    let folder = TempDir::new().unwrap();
    let numbers: Vec<u8> = (0..24_u32).flat_map(u32::to_be_bytes).collect();
    let labels = |bytes: Vec<u8>, limit| read_labels(&file(&folder, "labels", &bytes), limit);
    assert_eq!(
        labels(idx(0x0c, &[3, 8], &numbers), None).unwrap(),
        [0, 8, 16]
    );
    assert_eq!(
        labels(idx(0x0c, &[3, 8], &numbers), Some(2)).unwrap(),
        [0, 8]
    );
    let other = labels(idx(0x0c, &[4, 6], &numbers), None)
        .unwrap_err()
        .to_string();
    assert!(
        other.ends_with("expected labels: one dimension, found 4×6 32-bit integers"),
        "{other}"
    );
}

#[test]
fn images_and_labels_make_a_data_set() {
    let folder = TempDir::new().unwrap();
    let images = file(
        &folder,
        "a",
        &idx(8, &[3, 1, 2], &[0, 51, 255, 0, 102, 153]),
    );
    let labels = file(
        &folder,
        "b",
        &gzip(&idx(0x0c, &[3], &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 4])),
    );
    let data = read_idx(&images, &labels, None).unwrap();
    assert_eq!(data.features(), [0., 0.2, 1., 0., 0.4, 0.6]);
    assert_eq!(data.labels(), [1, 0, 4]);
    assert_eq!(data.classes(), 5);
    let shape = ImageShape {
        height: 1,
        width: 2,
    };
    assert_eq!(data.image_shape(), Some(shape));
    let first = read_idx(&images, &labels, Some(2)).unwrap();
    assert_eq!(first, data.select(&[0, 1]).unwrap());

    let two = file(&folder, "two", &idx(8, &[2], &[0, 1]));
    for limit in [None, Some(1), Some(2)] {
        let message = read_idx(&images, &two, limit).unwrap_err().to_string();
        let expected = format!(
            "{} holds 3 images and {} holds 2 labels: expected one label for each image",
            images.display(),
            two.display()
        );
        assert_eq!(message, expected);
    }
    let flat = file(&folder, "flat", &idx(8, &[3, 2], &[0; 6]));
    let data = read_idx(&flat, &labels, None).unwrap();
    assert_eq!((data.columns(), data.image_shape()), (2, None));
}

#[test]
fn arrays_of_another_kind_are_refused() {
    let folder = TempDir::new().unwrap();
    let images = |bytes: &[u8]| {
        let path = file(&folder, "images", bytes);
        let message = read_images(&path, Some(1)).unwrap_err().to_string();
        message.rsplit(": expected ").next().unwrap().to_owned()
    };
    let labels = |bytes: &[u8]| {
        let path = file(&folder, "labels", bytes);
        let message = read_labels(&path, None).unwrap_err().to_string();
        message.rsplit(": expected ").next().unwrap().to_owned()
    };
    let several = "images: two or more dimensions, none but the first zero";
    assert_eq!(
        images(&idx(8, &[2], &[0; 2])),
        format!("{several}, found 2 unsigned bytes")
    );
    assert_eq!(
        images(&idx(8, &[2, 0], &[])),
        format!("{several}, found 2×0 unsigned bytes")
    );
    assert_eq!(
        images(&idx(9, &[2, 1], &[0; 2])),
        "images of unsigned bytes, found 2×1 signed bytes"
    );
    assert_eq!(
        labels(&idx(8, &[2, 1], &[0; 2])),
        "labels: one dimension, found 2×1 unsigned bytes"
    );
    assert_eq!(
        labels(&idx(0x0d, &[1], &[0; 4])),
        "labels: integers, found 1 32-bit floating-point numbers"
    );
    assert_eq!(
        labels(&idx(9, &[2], &[3, 0xff])),
        "a label from 0 to 65535, found -1"
    );
    assert_eq!(
        labels(&idx(0x0c, &[1], &[0, 1, 0, 0])),
        "a label from 0 to 65535, found 65536"
    );
}

proptest! {
    /// Whatever the bytes are, reading them gives an array or an error.
    #[test]
    fn no_contents_make_it_panic(
        tail in proptest::collection::vec(any::<u8>(), 0..64),
        start in prop_oneof![
            Just(vec![]),
            (8_u8..15, 0_u8..4).prop_map(|(element, rank)| vec![0, 0, element, rank, 0, 0]),
            Just(vec![0x1f, 0x8b, 8, 0]),
        ],
        limit in proptest::option::of(0_usize..5),
    ) {
        let bytes = [start, tail].concat();
        let _ = IdxArray::parse(&bytes[..], limit);
        let _ = IdxArray::parse(&gzip(&bytes)[..], limit);
    }
}

/// A file of the data folder beside the workspace, or `None` and a message.
fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/data")
        .join(name);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: {} is not there", path.display());
    None
}

#[test]
fn the_real_mnist_is_read() {
    let (Some(images), Some(labels)) = (
        shared("mnist/t10k-images-idx3-ubyte.gz"),
        shared("mnist/t10k-labels-idx1-ubyte.gz"),
    ) else {
        return;
    };
    let data = read_idx(&images, &labels, None).unwrap();
    assert_eq!(
        (data.rows(), data.columns(), data.classes()),
        (10_000, 784, 10)
    );
    assert_eq!(data.labels()[..10], [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
    let shape = ImageShape {
        height: 28,
        width: 28,
    };
    assert_eq!(data.image_shape(), Some(shape));
    let mean =
        data.features().iter().map(|&x| f64::from(x)).sum::<f64>() / data.features().len() as f64;
    // The mean pixel of the MNIST test images, as often published: 0.1325.
    assert!((mean - 0.1325).abs() < 5e-5, "{mean}");
    let first = read_idx(&images, &labels, Some(20)).unwrap();
    assert_eq!(first, data.select(&(0..20).collect::<Vec<_>>()).unwrap());
}

#[test]
fn the_real_qmnist_labels_are_read() {
    let (Some(qmnist), Some(mnist)) = (
        shared("qmnist/qmnist-test-labels-idx2-int.gz"),
        shared("mnist/t10k-labels-idx1-ubyte.gz"),
    ) else {
        return;
    };
    let array = IdxArray::read(&qmnist, None).unwrap();
    assert_eq!(array.dimensions(), [60_000, 8]);
    let IdxValues::I32(values) = array.values() else {
        panic!("expected 32-bit integers")
    };
    // The first 10 000 rows are the test rows of MNIST, the first column is the digit.
    let digits: Vec<u32> = values.chunks(8).map(|row| row[0] as u32).collect();
    assert_eq!(digits, read_labels(&qmnist, None).unwrap());
    assert_eq!(digits[..10_000], read_labels(&mnist, None).unwrap());
}
