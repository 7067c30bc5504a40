//! Laws of labels and classes.

use super::*;

/// The classes of files with one column of labels each.
fn classes_of(files: &[&[&str]], merge: bool) -> Result<Classes, Error> {
    let tables: Vec<Table> = files
        .iter()
        .map(|labels| {
            let rows: String = labels.iter().map(|label| format!("1,{label}\n")).collect();
            table(&format!("a,y\n{rows}"))
        })
        .collect();
    let labels: Vec<_> = tables.iter().filter_map(Table::labels).collect();
    classes(&labels, merge)
}

#[test]
fn labels_that_are_numbers_are_compared_as_numbers() {
    let found = classes_of(&[&["1", "0", "1.0", "0", "01", "1"], &["1e0", "-0"]], false).unwrap();
    assert_eq!(found.names, ["0", "1"]);
    assert_eq!(found.of[1], [Some(1), Some(0)]);
    assert_eq!(found.merged.len(), 2);
    // Gaps are no classes.
    let found = classes_of(&[&["5000", "-7", "0"]], false).unwrap();
    assert_eq!(found.names, ["-7", "0", "5000"]);
    // One text makes texts of all.
    let found = classes_of(&[&["1", "1.0", "x"]], false).unwrap();
    assert_eq!(found.names, ["1", "1.0", "x"]);
    assert_eq!(found.alike.len(), 1);
    // True and false, also where another file has 1 and 0.
    let found = classes_of(&[&["True", "false", "True"], &["1", "0"]], false).unwrap();
    assert_eq!(found.names, ["false", "True"]);
    assert_eq!(found.of[1], [Some(1), Some(0)]);
}

#[test]
fn labels_that_look_the_same_are_named_and_merged_on_request() {
    let labels: &[&str] = &["Cat", "cat", "dog", "cat", "d\u{200b}og", "ﬁsh", "fish"];
    let found = classes_of(&[labels], false).unwrap();
    assert_eq!(found.names.len(), 6);
    assert_eq!(found.alike.len(), 3);
    assert_eq!(found.alike[0].spellings[0], ("cat".to_owned(), 2));
    let merged = classes_of(&[labels], true).unwrap();
    assert_eq!(merged.names, ["cat", "dog", "ﬁsh"]);
    assert_eq!((merged.alike.len(), merged.merged.len()), (0, 3));
}

#[test]
fn placeholders_are_missing_labels() {
    let found = classes_of(&[&["u", "NaN", "v", "", "?", "#N/A"]], false).unwrap();
    assert_eq!(found.names, ["u", "v"]);
    assert_eq!(found.of[0][1], None);
    // A sign is a label where it has a counterpart.
    let found = classes_of(&[&["+", "-", "+"]], false).unwrap();
    assert_eq!(found.names, ["+", "-"]);
}

#[test]
fn classes_of_other_files_are_named() {
    let found = classes_of(&[&["u", "v"], &["w", "u"]], false).unwrap();
    assert_eq!(found.names, ["u", "v", "w"]);
    assert_eq!(found.only_elsewhere[0].0, "w");
}

#[test]
fn what_is_no_class_is_refused() {
    let many: Vec<String> = (0..40).map(|row| format!("n{row}")).collect();
    let measured: Vec<String> = (0..100).map(|row| format!("{}.5", row % 30)).collect();
    for (labels, part) in [
        (many, "40 different labels in 40 rows"),
        (measured, "30 different numbers with fractions"),
        (vec!["u".to_owned(); 3], "found only \"u\""),
        (vec![String::new(), "NaN".to_owned()], "only missing ones"),
    ] {
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        let told = classes_of(&[&labels], false).unwrap_err().to_string();
        assert!(told.contains(part), "{told}");
    }
    // A few numbers with fractions may be grades.
    let found = classes_of(&[&["1.5", "2", "1", "-0.5", "10"]], false).unwrap();
    assert_eq!(found.names, ["-0.5", "1", "1.5", "2", "10"]);
}

#[test]
fn labels_of_other_rows_are_refused() {
    let columns = TableColumns {
        labels: table::LabelsWanted::No,
        ..TableColumns::default()
    };
    let rows = || read("id,x\np1,1\np2,2\n", &columns).unwrap();
    let only = TableColumns {
        features: FeatureColumns::None,
        ..wanted("y")
    };
    let labels = |text: &str| read(text, &only).unwrap();
    let same = rows().with_labels_of(labels("id,y\np1,u\np2,v\n"));
    assert_eq!(same.unwrap().rows(), 2);
    let told = rows()
        .with_labels_of(labels("id,y\np2,u\np1,v\n"))
        .unwrap_err()
        .to_string();
    assert!(
        told.contains("row 0: expected the label of \"p1\""),
        "{told}"
    );
}

/// Folders are labels, whatever their names say; classes are the folders that hold pictures.
#[test]
fn the_names_of_folders_are_labels() {
    let folder = tempfile::tempdir().unwrap();
    let stored =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files/stored/pictures/cat/0.png");
    for class in ["none", "NA", "dent"] {
        std::fs::create_dir(folder.path().join(class)).unwrap();
        std::fs::copy(&stored, folder.path().join(class).join("a.png")).unwrap();
    }
    let wanted = TableColumns::default();
    let set = Table::read(folder.path(), &wanted).unwrap();
    let found = classes(&[set.labels().unwrap()], false).unwrap();
    assert_eq!(found.names, ["NA", "dent", "none"]);
    let deeper = folder.path().join("dent/more");
    std::fs::create_dir(&deeper).unwrap();
    std::fs::copy(&stored, deeper.join("b.png")).unwrap();
    let told = Table::read(folder.path(), &wanted).unwrap_err().to_string();
    assert!(
        told.contains("found the folder dent/more of pictures"),
        "{told}"
    );
}

/// Eight columns are one label for each row only in files of the MNIST family.
#[test]
fn eight_columns_of_an_array_are_no_labels() {
    let array = |rows: usize| array::Array {
        shape: vec![rows, 8],
        values: array::Values::I32((0..8 * rows as i32).collect()),
    };
    let labels = || crate::data::labels::Labels::new(Path::new("l"), None);
    let found = array(2).into_labels(labels(), true).unwrap();
    assert_eq!((found.text(0), found.text(1)), ("0", "8"));
    let told = array(2)
        .into_labels(labels(), false)
        .unwrap_err()
        .to_string();
    assert!(told.contains("numpy.argmax"), "{told}");
}
