//! What `bilevel clean` answers to files that are not what they should be.

use std::fs;
use std::path::Path;

use crate::common::tables::{rows, write_npy_features};
use crate::common::{gzipped, refused, write_idx, write_npy};

/// Tables that are wrong, each named by what is wrong with it.
fn write_bad_tables(here: &Path) {
    let good = "a,b,y\n1,2,u\n3,4,v\n5,6,u\n7,8,v\n9,10,u\n11,12,v\n";
    let packed = gzipped(rows(0..500).replace("name,", "id,").as_bytes());
    for (name, bytes) in [
        ("good.csv", good.into()),
        ("empty.csv", vec![]),
        ("blank.csv", b"\n\r\n\n".to_vec()),
        ("header.csv", b"a,b,y\n".to_vec()),
        ("ragged.csv", good.replace("3,4,v", "3,4,5,v").into()),
        ("short.csv", good.replace("9,10,u", "9,u").into()),
        ("text.csv", good.replace("3,4", "3,four").into()),
        ("thousand.csv", good.replace("3,4", "\"3,500\",4").into()),
        ("several.csv", {
            let cells = |row: usize| match row {
                0 => "1,inf,3",
                1 => "x,2,3",
                2 => "1,2,\"3,500\"",
                _ => "1,2,3",
            };
            let lines: String = (0..12)
                .map(|row| format!("{},{}\n", cells(row), row % 2))
                .collect();
            format!("a,b,c,y\n{lines}").into()
        }),
        ("nan.csv", good.replace("3,4", "3,NaN").into()),
        ("inf.csv", good.replace("3,4", "3,inf").into()),
        ("huge.csv", good.replace("3,4", "3,-1e999").into()),
        ("nolabels.csv", b"a,b,y\n1,2,\n3,4,NaN\n5,6,?\n".to_vec()),
        ("quote.csv", good.replace("3,4,v", "3,4,\"v").into()),
        ("behind.csv", good.replace("3,4,v", "3,4,\"v\"w").into()),
        ("utf8.csv", [good.as_bytes(), b"1,2,\xffu\n"].concat()),
        ("latin.csv", b"a,gr\xf6\xdfe,y\n1,2,u\n".to_vec()),
        (
            "sheet.csv",
            b"PK\x03\x04\x14\x00\x06\x00\x08\x00[Content_Types].xml".to_vec(),
        ),
        (
            "archive.csv",
            b"PK\x03\x04\x14\x00\x06\x00\x08\x00".to_vec(),
        ),
        ("pickle.csv", b"\x80\x04\x95\x00\x01".to_vec()),
        ("bits.csv", b"\x01\x02\x00\x03".to_vec()),
        ("one.csv", good.replace(",v", ",u").into()),
        ("labels.csv", good.replace("a,b,y", "a,y,y").into()),
        ("nohead.csv", good.replace("a,b,y\n1", "-0.5").into()),
        ("only.csv", b"y\nu\nv\n".to_vec()),
        ("gap.csv", b"a,b,y\n1,,u\n2,NA,v\n3,,u\n".to_vec()),
        ("holes.csv", b"a,b,y\n1,,u\n,3,v\n3,,u\n".to_vec()),
        ("maybe.csv", good.replace("3,4", "3,maybe").into()),
        ("cut.csv.gz", packed[..packed.len() / 2].to_vec()),
        ("narrow.csv", b"a,y\n1,u\n3,v\n".to_vec()),
        ("wide.csv", b"a,b,c,y\n1,2,3,u\n3,4,5,v\n".to_vec()),
        ("numbers.csv", {
            let lines: String = (0..40)
                .map(|row| format!("{},{row}.5\n", row % 7))
                .collect();
            format!("a,y\n{lines}").into()
        }),
    ] {
        fs::write(here.join(name), bytes).unwrap();
    }
    fs::create_dir(here.join("folder.csv")).unwrap();
}

#[test]
fn a_bad_table_is_one_message_and_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write_bad_tables(here);
    for (options, part) in [
        ("none.csv --label y", "none.csv: cannot be read"),
        (
            "folder.csv --label y",
            "folder.csv: expected a folder for each class, with PNG or JPEG pictures in it",
        ),
        (
            "empty.csv --label y",
            "expected a first line with the names of the columns, found no text",
        ),
        (
            "blank.csv --label y",
            "expected a first line with the names of the columns",
        ),
        (
            "header.csv --label y",
            "header.csv: expected rows below the names",
        ),
        (
            "ragged.csv --label y",
            "row 1 (line 3): expected 3 cells, as many as there are column names, found 4",
        ),
        (
            "short.csv --label y",
            "row 4 (line 6): expected 3 cells, as many as there are column names, found 2",
        ),
        (
            "text.csv --label y",
            "row 1 (line 3), column \"b\": expected a number, found \"four\" (1 cell of 6); --ignore b leaves the column out; --category b makes a category of each text",
        ),
        (
            "thousand.csv --label y",
            "column \"a\": expected a number, found one with a comma that may separate thousands or a fraction (3500 or 3.5); say which it is: --decimal point or --decimal comma",
        ),
        (
            "several.csv --label y",
            "several.csv: 3 columns cannot be used as they are:\n  row 1 (line 3), column \"a\": expected a number, found \"x\" (1 cell of 12)\n  row 0 (line 2), column \"b\": expected a finite number, found \"inf\"\n  row 2 (line 4), column \"c\": expected a number, found one with a comma",
        ),
        (
            "nan.csv --label y",
            "nan.csv: row 1 (line 3), column \"b\": expected a value, found a missing one; missing cells: 1, in 1 of 6 rows, in columns \"b\"; --missing mean fills them, --missing indicator fills them and says where, --missing drop leaves such rows out",
        ),
        (
            "inf.csv --label y",
            "row 1 (line 3), column \"b\": expected a finite number, found \"inf\"",
        ),
        (
            "huge.csv --label y",
            "expected a finite number, found \"-1e999\"",
        ),
        (
            "nolabels.csv --label y",
            "column \"y\": expected labels, found only missing ones",
        ),
        (
            "quote.csv --label y",
            "quote.csv: line 3: expected the quote that opens here to be closed",
        ),
        (
            "behind.csv --label y",
            "line 3: expected a separator or the end of the line",
        ),
        (
            "utf8.csv --label y",
            "row 6 (line 8), column \"y\": expected text in UTF-8",
        ),
        (
            "latin.csv --label y",
            "line 1, cell 2: expected a name in UTF-8",
        ),
        (
            "sheet.csv --label y",
            "expected a data file, found an Excel workbook; save the table as CSV",
        ),
        (
            "archive.csv --label y",
            "found a ZIP archive; unpack it first",
        ),
        (
            "pickle.csv --label y",
            "found a Python pickle; a pickle can run any code",
        ),
        ("bits.csv --label y", "found other bytes: 01 02 00 03"),
        (
            "one.csv --label y",
            "one.csv: column \"y\": expected at least two different labels, found only \"u\"",
        ),
        (
            "labels.csv --label y",
            "line 1: expected one column \"y\" (the labels), found several: the later ones are called \"y.1\"; --ignore y.1 leaves the column out",
        ),
        (
            "nohead.csv --label y",
            "expected a column \"y\" (the labels), found \"0\", \"1\", \"2\"; the file seems to have no line of names, so that its columns are called",
        ),
        ("only.csv --label y", "at least one column of features"),
        (
            "gap.csv --label y --missing mean",
            "column \"b\": expected at least one number",
        ),
        (
            "holes.csv --label y --missing drop",
            "expected at least one row without missing values, found none among 3; --missing mean fills missing features",
        ),
        (
            "gap.csv --label y --missing drop",
            "column \"b\": expected at least one number, found only missing values; --ignore b leaves the column out",
        ),
        (
            "numbers.csv --label y",
            "column \"y\": expected classes, found 40 different numbers with fractions: these are measurements",
        ),
        (
            "cut.csv.gz --label y",
            "cut.csv.gz: expected a whole file of gzip or zstd, found it cut short",
        ),
        (
            "good.csv",
            "one of \"a\", \"b\", \"y\"; name it: --label COLUMN",
        ),
        (
            "good.csv --label Y",
            "expected a column \"Y\" (the labels), found \"a\", \"b\", \"y\"; did you mean \"y\"?",
        ),
        (
            "good.csv --label y --id idd",
            "expected a column \"idd\" (the names of the rows)",
        ),
        (
            "good.csv --label y --ignore c",
            "--ignore c: expected a column of the files, found \"a\", \"b\", \"y\"",
        ),
        (
            "good.csv --label y --keep c",
            "--keep c: expected a column of the files",
        ),
        (
            "good.csv --label y --image-size 28",
            "--image-size has no meaning here: no file is a folder of pictures",
        ),
        (
            "good.csv --label y --separator ab",
            "expected comma, semicolon, tab, bar, blank",
        ),
        (
            "good.csv --label y --ignore y",
            "column \"y\": expected one purpose, found two: the labels and left out",
        ),
        (
            "good.csv --label y --missing fill",
            "possible values: error, mean, drop, indicator",
        ),
        (
            "good.csv --label y --images good.csv --labels good.csv",
            "cannot be used with",
        ),
        (
            "good.csv --label y --features good.csv --labels good.csv",
            "cannot be used with",
        ),
        (
            "good.csv --label y --labels nohead.csv",
            "nohead.csv: expected a column \"y\"",
        ),
        ("good.csv --label y --test-labels good.csv", "--test <FILE>"),
        (
            "good.csv --label y --trusted good.csv",
            "cannot be used with",
        ),
        ("good.csv --labal y", "similar argument exists: '--label'"),
        (
            "good.csv --label y --test narrow.csv",
            "narrow.csv: expected a column \"b\" (a feature)",
        ),
        (
            "good.csv --label y --test wide.csv",
            "wide.csv: expected the columns of good.csv, found \"c\" too",
        ),
        (
            "good.csv --label y --test none.csv",
            "none.csv: cannot be read",
        ),
        ("good.csv --label y --test nan.csv", "nan.csv: row 1"),
    ] {
        refused(
            here,
            &format!("clean {options} --trusted-rows 2 --out out"),
            part,
        );
    }
    for (options, part) in [
        (
            "--method improved",
            "expected --trusted FILE, --trusted-column COLUMN or --trusted-rows N",
        ),
        (
            "--method agreement",
            "agreement cannot do without them (--method auto can)",
        ),
        ("--trusted-rows 7", "good.csv: 7 rows are needed, found 6"),
        ("--trusted-rows 6", "expected at least one row"),
        ("--trusted-rows 0", "at least 1"),
        (
            "--trusted-rows 3 --train-rows 4",
            "7 rows are needed, found 6",
        ),
        ("--trusted trusted.csv", "trusted.csv: cannot be read"),
        (
            "--trusted narrow.csv",
            "expected a column \"b\" (a feature), found \"a\", \"y\"",
        ),
        (
            "--trusted wide.csv",
            "found \"c\" too: the columns are \"a\", \"b\"; --ignore c leaves the column out",
        ),
        ("--trusted empty.csv", "empty.csv: expected a first line"),
        (
            "--trusted good.csv --train-rows 7",
            "7 rows are needed, found 6",
        ),
        (
            "--trusted good.csv --trusted-column b",
            "cannot be used with",
        ),
        (
            "--trusted-column c",
            "expected a column \"c\" (which rows are trusted)",
        ),
        (
            "--trusted-column b",
            "expected true or false, yes or no, 1 or 0, found \"2\"",
        ),
        (
            "--trusted-column y",
            "found two: the labels and which rows are trusted",
        ),
        ("--trusted-rows 2 --corrupt 1.5", "a number from 0 to 1"),
        ("--trusted-rows 2 --model mlp:0", "mlp:0"),
    ] {
        refused(
            here,
            &format!("clean good.csv --label y {options} --out out"),
            part,
        );
    }
    fs::write(here.join("all.csv"), "a,t,y\n1,1,u\n2,1,v\n").unwrap();
    refused(
        here,
        "clean all.csv --label y --trusted-column t",
        "expected some rows that are trusted and some that are not, found 2 of 2 trusted",
    );
    for option in [
        "--label y",
        "--trusted good.csv",
        "--test good.csv",
        "--ignore a",
        "--missing drop",
        "--merge-labels",
        "--separator tab",
    ] {
        refused(
            here,
            &format!("clean {option}"),
            "has no meaning with the digits",
        );
    }
    if cfg!(target_os = "linux") {
        let options =
            "clean good.csv --label y --trusted-rows 3 --early-stopping off --out /proc/out";
        refused(here, options, "the folder /proc/out cannot be created");
    }
}

#[test]
fn a_bad_npy_file_is_one_message_and_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write_npy_features(here);
    let write = |name: &str, descr: &str, shape: &str, bytes: &[u8]| {
        write_npy(&here.join(name), descr, false, shape, bytes);
    };
    write("object.npy", "|O", "(40, 2)", &[0; 640]);
    write("complex.npy", "<c8", "(40, 2)", &[0; 640]);
    write("lying.npy", "<f4", "(4000000000, 2)", &[0; 320]);
    write("overflow.npy", "<f4", "(4294967296, 4294967296)", &[0; 320]);
    write("long.npy", "<f4", "(40, 2)", &[0; 321]);
    write("cube.npy", "<f4", "(5, 8, 2)", &[0; 320]);
    write("nowidth.npy", "<f4", "(40, 0)", &[]);
    write("norows.npy", "<f4", "(0, 2)", &[]);
    write(
        "inf.npy",
        "<f4",
        "(40, 2)",
        &f32::INFINITY.to_le_bytes().repeat(80),
    );
    write(
        "nan.npy",
        "<f4",
        "(40, 2)",
        &f32::NAN.to_le_bytes().repeat(80),
    );
    write("negative.npy", "<i8", "(40,)", &[0xff; 320]);
    write("same.npy", "<i8", "(40,)", &[0; 320]);
    write(
        "float.npy",
        "<f4",
        "(40,)",
        &0.5_f32.to_le_bytes().repeat(40),
    );
    write("other.npy", "<i8", "(20,)", &9_i64.to_le_bytes().repeat(20));
    fs::write(here.join("text.npy"), "not an array").unwrap();
    fs::write(here.join("cut.npy"), b"\x93NUMPY\x01\x00\xff\xff{'descr'").unwrap();
    for (options, part) in [
        (
            "--features none.npy --labels y.npy",
            "none.npy: cannot be read",
        ),
        (
            "--features text.npy --labels y.npy",
            "text.npy: expected rows below the names of the columns, found none",
        ),
        (
            "--features cut.npy --labels y.npy",
            "cut.npy: expected a header that ends at byte",
        ),
        (
            "--features object.npy --labels y.npy",
            "object.npy: expected booleans, integers, floating-point numbers of 16, 32 or 64 bits, or texts, found elements of type |O; these are Python objects",
        ),
        (
            "--features complex.npy --labels y.npy",
            "or texts, found elements of type <c8; in NumPy, array.astype converts them",
        ),
        ("--features lying.npy --labels y.npy", "found 320 bytes"),
        (
            "--features overflow.npy --labels y.npy",
            "4294967296×4294967296",
        ),
        ("--features long.npy --labels y.npy", "found 321 bytes"),
        (
            "--features cube.npy --labels y.npy",
            "cube.npy holds 5 rows of features and y.npy holds 40 labels",
        ),
        (
            "--features y.npy --labels y.npy",
            "expected rows of features, found labels only: one number a row; if these are the labels of another file, name that as DATA and this one with --labels",
        ),
        (
            "--features nowidth.npy --labels y.npy",
            "a matrix without columns",
        ),
        (
            "--features norows.npy --labels y.npy",
            "norows.npy: expected rows below the names of the columns, found none",
        ),
        (
            "--features x.npy --labels y2.npy",
            "x.npy holds 40 rows of features and y2.npy holds 20 labels",
        ),
        (
            "--features inf.npy --labels y.npy",
            "inf.npy: row 0, column \"0\": expected a finite number, found inf",
        ),
        (
            "--features nan.npy --labels y.npy",
            "nan.npy: row 0, column \"0\": expected a value, found a missing one; missing cells: 80,",
        ),
        (
            "--features nan.npy --labels y.npy --missing mean",
            "column \"0\": expected at least one number",
        ),
        (
            "--features x.npy --labels negative.npy",
            "found only \"-1\"",
        ),
        (
            "--features x.npy --labels same.npy",
            "expected at least two different labels",
        ),
        ("--features x.npy --labels float.npy", "found only \"0.5\""),
        (
            "--features x.npy --labels x.npy",
            "x.npy: expected labels: one number or text a row, found 40×2 floating-point numbers",
        ),
        ("--features x.npy --labels named.csv", "--label COLUMN"),
        (
            "--features x.npy --labels named.csv --label kindd",
            "did you mean \"kind\"?",
        ),
        (
            "--features x.npy",
            "x.npy: expected labels, found features only; name their file: --labels FILE",
        ),
        (
            "--features x.npy --labels y.npy --test x.npy",
            "x.npy: expected labels, found features only; name their file: --test-labels FILE",
        ),
        (
            "--features x.npy --labels y.npy --label y",
            "--label y: expected a column of the files, found no names of columns",
        ),
        (
            "--features x.npy --labels y.npy --trusted named.csv",
            "cannot be used with",
        ),
        (
            "--features x.npy --labels y.npy --test named.csv",
            "named.csv: expected the name of the column of labels",
        ),
        (
            "--features x.npy --labels y.npy --test-features x2.npy",
            "x2.npy: expected labels, found features only",
        ),
        (
            "--features x.npy --labels y.npy --test-features cube.npy --test-labels y2.npy",
            "cube.npy",
        ),
    ] {
        refused(
            here,
            &format!("clean {options} --trusted-rows 5 --out out"),
            part,
        );
    }
    write("wide.npy", "<f4", "(20, 3)", &[0; 240]);
    refused(
        here,
        "clean --features x.npy --labels y.npy --trusted-features wide.npy --trusted-labels y2.npy",
        "wide.npy: expected 2 columns of features, as many as in the first file, found 3",
    );
    refused(
        here,
        "clean --features x.npy --labels y.npy --method glc",
        "expected --trusted FILE, --trusted-column COLUMN or --trusted-rows N",
    );
}

#[test]
fn a_bad_idx_file_is_one_message_and_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let pixels: Vec<u8> = (0..120).collect();
    let labels: Vec<u8> = (0..30).map(|row| row % 3).collect();
    write_idx(&here.join("images"), &[30, 2, 2], &pixels);
    write_idx(&here.join("labels"), &[30], &labels);
    write_idx(&here.join("few"), &[30, 2, 2], &pixels[1..]);
    write_idx(
        &here.join("many"),
        &[30, 2, 2],
        &[&pixels[..], &[0]].concat(),
    );
    write_idx(&here.join("huge"), &[u32::MAX, u32::MAX, u32::MAX], &pixels);
    write_idx(&here.join("fewer"), &[29], &labels[1..]);
    write_idx(&here.join("same"), &[30], &[2; 30]);
    fs::write(here.join("empty"), "").unwrap();
    fs::write(here.join("magic"), [1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
    fs::write(here.join("type"), [0, 0, 0x0a, 1, 0, 0, 0, 0]).unwrap();
    let packed = gzipped(&fs::read(here.join("images")).unwrap());
    fs::write(here.join("cut.gz"), &packed[..packed.len() - 20]).unwrap();
    for (options, part) in [
        ("--images none --labels labels", "none: cannot be read"),
        (
            "--images empty --labels labels",
            "empty: expected a first line with the names of the columns, found no text",
        ),
        (
            "--images magic --labels labels",
            "magic: expected one of an NPY array, an NPZ file of NumPy arrays, an IDX file (the MNIST family)",
        ),
        ("--images type --labels labels", "found 0a"),
        (
            "--images few --labels labels",
            "few: expected 120 bytes of data (30×2×2 unsigned bytes declared), found 119",
        ),
        (
            "--images many --labels labels",
            "many: expected 120 bytes of data (30×2×2 unsigned bytes declared), found more",
        ),
        ("--images huge --labels labels", "huge: expected"),
        (
            "--images cut.gz --labels labels",
            "cut.gz: expected a whole file of gzip or zstd, found it cut short",
        ),
        (
            "--images images --labels fewer",
            "images holds 30 rows of features and fewer holds 29 labels",
        ),
        (
            "--images images --labels same",
            "same: column \"label\": expected at least two different labels, found only \"2\"",
        ),
        (
            "--images images --labels labels --label y",
            "--label y: expected a column of the files, found no names of columns",
        ),
        (
            "--images images --labels labels --missing drop",
            "--missing has no meaning here: pixels are never missing",
        ),
        ("images", "images: expected labels, found features only"),
    ] {
        refused(
            here,
            &format!("clean {options} --trusted-rows 5 --out out"),
            part,
        );
    }
    refused(
        here,
        "clean --images images --labels labels --trusted-rows 31",
        "31 rows are needed, found 30",
    );
}
