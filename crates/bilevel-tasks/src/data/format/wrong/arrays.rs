//! Damaged files of arrays.

use super::*;

#[test]
fn npy() {
    let file = stored("x_f4.npy");
    let shape = |new: &str| replaced(&file, "'shape': (12, 2)", new);
    refused(
        "NPY",
        &plain(),
        vec![
            (
                "cut in the data",
                cut(&file, file.len() - 5),
                "the bytes of 12×2 elements of type <f4",
            ),
            (
                "cut in the header",
                cut(&file, 40),
                "expected a header that ends at byte 128",
            ),
            (
                "cut in the length",
                cut(&file, 9),
                "a header that ends at byte 10",
            ),
            ("bytes behind", more(&file, b"xy"), "found 98 bytes"),
            ("too many rows", shape("'shape': (99, 2)"), "99×2 elements"),
            ("too few rows", shape("'shape': (11, 2)"), "11×2 elements"),
            (
                "a negative length",
                shape("'shape': (-1, 2)"),
                "a header with 'descr'",
            ),
            (
                "a huge length",
                replaced(&file, "(12, 2), }          ", "(9999999999999, 2)} "),
                "9999999999999×2",
            ),
            (
                "no shape",
                replaced(&file, "'shape'", "'share'"),
                "a header with 'descr'",
            ),
            (
                "complex numbers",
                replaced(&file, "<f4", "<c4"),
                "elements of type <c4",
            ),
            (
                "objects",
                replaced(&file, "<f4", "|O8"),
                "stored as a pickle",
            ),
            (
                "another version",
                with(&file, 6, &[7]),
                "expected NPY version 1.0, 2.0 or 3.0, found 7.0",
            ),
            (
                "one dimension of texts",
                stored("y_U.npy"),
                "expected rows of numbers",
            ),
        ],
    );
}

#[test]
fn npz() {
    let file = stored("named.npz");
    let end = file.len();
    refused(
        "NPZ",
        &rows(),
        vec![
            ("cut in half", cut(&file, end / 2), "a whole ZIP archive"),
            ("cut at the end", cut(&file, end - 1), "a whole ZIP archive"),
            (
                "cut behind the first name",
                cut(&file, 40),
                "a whole ZIP archive",
            ),
            (
                "a wrong checksum",
                with(&file, 300, &[0xff; 4]),
                "a whole ZIP archive",
            ),
            (
                "a wrong directory",
                with(&file, end - 6, &[0xff; 4]),
                "a whole ZIP archive",
            ),
            (
                "a wrong entry",
                replaced(&file, "PK\u{1}\u{2}", "PK\u{1}\u{9}"),
                "a whole ZIP archive",
            ),
            (
                "a wrong inner header",
                replaced(&file, "fortran_order", "fortran_arder"),
                "array \"x\": expected a header",
            ),
            (
                "other names of arrays",
                stored("packed.npz"),
                "expected an array \"y\" (the labels), found arr_0 (12×2)",
            ),
            (
                "no arrays",
                b"PK\x05\x06".iter().copied().chain([0; 18]).collect(),
                "a data file",
            ),
            (
                "a spreadsheet",
                b"PK\x03\x04\x14\0\0\0\x08\0[Content_Types].xml xl/".to_vec(),
                "an Excel workbook",
            ),
            (
                "a network",
                b"PK\x03\x04\x14\0\0\0\x08\0archive/data.pkl".to_vec(),
                "a PyTorch file",
            ),
            (
                "an archive of other things",
                b"PK\x03\x04\x14\0\0\0\x08\0a.txt".to_vec(),
                "a ZIP archive; unpack it",
            ),
        ],
    );
}

#[test]
fn idx() {
    let file = stored("images.idx");
    let header = |bytes: &[u8]| more(bytes, &file[16..]);
    refused(
        "IDX",
        &plain(),
        vec![
            (
                "cut in the data",
                cut(&file, 100),
                "expected 144 bytes of data (12×3×4 unsigned bytes declared), found 84",
            ),
            (
                "cut in the header",
                cut(&file, 13),
                "a header of 16 bytes, found 13",
            ),
            (
                "cut in the magic",
                cut(&file, 3),
                "a header of 4 bytes, found 3",
            ),
            ("bytes behind", more(&file, b"x"), "found more"),
            ("too many rows", with(&file, 7, &[13]), "13×3×4"),
            ("too few rows", with(&file, 7, &[11]), "11×3×4"),
            (
                "a huge size",
                with(&file, 4, &[0xff; 12]),
                "dimensions that fit into memory",
            ),
            ("a large size", with(&file, 4, &[0x7f]), "2130706444×3×4"),
            (
                "an unknown type",
                with(&file, 2, &[0x0a]),
                "an element type of 08, 09",
            ),
            (
                "no dimensions",
                with(&file, 3, &[0]),
                "at least one dimension",
            ),
            (
                "too many dimensions",
                with(&file, 3, &[200]),
                "a header of 804 bytes",
            ),
            (
                "a zero in the shape",
                header(&[0, 0, 8, 3, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 4]),
                "0×3×4",
            ),
            (
                "wider numbers",
                with(&file, 2, &[0x0e]),
                "64-bit floating-point numbers",
            ),
        ],
    );
}

#[test]
fn matlab() {
    let file = stored("rows.mat");
    let packed = stored("packed.mat");
    refused(
        "MATLAB",
        &rows(),
        vec![
            (
                "cut in the header",
                cut(&file, 100),
                "a header of 128 bytes",
            ),
            (
                "no order of bytes",
                with(&file, 126, b"XX"),
                "ends in IM or MI",
            ),
            (
                "the other order",
                with(&file, 126, b"MI"),
                "expected a small element of at most 4 bytes",
            ),
            (
                "cut in an array",
                cut(&file, 250),
                "element 0, array \"X\": expected 24 numbers",
            ),
            ("cut in a tag", cut(&file, 131), "4 more bytes"),
            (
                "a huge size",
                with(&file, 132, &[0xff; 4]),
                "the file is cut short",
            ),
            (
                "huge dimensions",
                with(&file, 160, &[0xff, 0xff, 0xff, 0x7f]),
                "numbers",
            ),
            (
                "a packed array cut",
                cut(&packed, packed.len() / 2),
                "element 0: expected a whole packed element",
            ),
            (
                "damage in it",
                with(&packed, 150, &[0xff; 8]),
                "a whole packed element",
            ),
            (
                "version 7.3",
                b"MATLAB 7.3 MAT-file, Platform\0\0".to_vec(),
                "a MATLAB file of version 7.3, which is HDF5; save it with",
            ),
            (
                "HDF5",
                b"\x89HDF\r\n\x1a\n".to_vec(),
                "an HDF5 file; save its arrays",
            ),
            (
                "no labels",
                replaced(&file, "y\0\0\0", "z\0\0\0"),
                "expected an array \"y\" (the labels), found X (12×2), z (1×12)",
            ),
        ],
    );
}

#[test]
fn cifar() {
    let unpack = |name: &str| {
        let mut bytes = Vec::new();
        std::io::copy(
            &mut flate2::read::GzDecoder::new(&stored(name)[..]),
            &mut bytes,
        )
        .unwrap();
        bytes
    };
    let (ten, hundred) = (unpack("cifar10.bin.gz"), unpack("cifar100.bin.gz"));
    let long = ten.repeat(20);
    let one_of = "expected one of";
    refused(
        "CIFAR",
        &plain(),
        vec![
            ("cut", cut(&ten, ten.len() - 1), one_of),
            ("cut in the first", cut(&ten, 1000), one_of),
            ("a byte more", more(&ten, &[1]), one_of),
            ("an eleventh class", with(&ten, 0, &[10]), one_of),
            ("in the second", with(&ten, 3073, &[255]), one_of),
            (
                "of a hundred, cut",
                cut(&hundred, hundred.len() - 2),
                one_of,
            ),
            ("a coarse class too many", with(&hundred, 0, &[20]), one_of),
            ("a fine class too many", with(&hundred, 1, &[100]), one_of),
            ("a class in the other", with(&hundred, 3074, &[77]), one_of),
            (
                "a long one cut",
                cut(&long, long.len() - 5),
                "expected pictures of 3073 bytes each",
            ),
            (
                "a long one with more",
                more(&long, &[0; 100]),
                "100 more than whole pictures",
            ),
            (
                "a wrong class far behind",
                with(&long, 3073 * 39, &[11]),
                "row 39: expected a label below 10, found 11",
            ),
        ],
    );
}
