//! Laws of tables as text.

use super::*;

#[test]
fn the_same_table_in_many_forms() {
    let plain = "a,b,y\n1,2,u\n-3e2,0.5,v\n";
    let expected = table(plain);
    let utf16: Vec<u8> = std::iter::once(0xfeff)
        .chain(plain.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    let packed = gzip(plain.as_bytes());
    for (form, bytes) in [
        ("CRLF", plain.replace('\n', "\r\n").into_bytes()),
        ("CR", plain.replace('\n', "\r").into_bytes()),
        ("no last line end", plain.trim_end().into()),
        ("blanks at the end", format!("{plain}  \n \t\n").into()),
        ("byte order mark", format!("\u{feff}{plain}").into_bytes()),
        (
            "quotes",
            b"\"a\",\"b\",\"y\"\n\"1\",\"2\",\"u\"\n\"-3e2\",0.5,v\n".to_vec(),
        ),
        (
            "quotes behind blanks",
            b"\"a\", \"b\", \"y\"\n\"1\", \"2\", \"u\"\n \"-3e2\" ,0.5,v\n".to_vec(),
        ),
        (
            "mark and quotes",
            "\u{feff}\"a\",b,y\n1,2,u\n-3e2,0.5,v\n".into(),
        ),
        ("blanks", b" a ,b, y\n1 , 2,u \n-3e2,0.5,v\n".to_vec()),
        ("semicolons", plain.replace(',', ";").into()),
        ("tabs", plain.replace(',', "\t").into()),
        ("bars", plain.replace(',', "|").into()),
        ("many blanks", plain.replace(',', "  ").into()),
        ("decimal commas", b"a;b;y\n1;2;u\n-3e2;0,5;v\n".to_vec()),
        (
            "a line of Excel",
            format!("sep=;\r\n{}", plain.replace(',', ";")).into(),
        ),
        (
            "a comma behind each line",
            plain.replace('\n', ",\n").into(),
        ),
        (
            "a comma behind each row",
            b"a,b,y\n1,2,u,\n-3e2,0.5,v,\n".to_vec(),
        ),
        ("UTF-16", utf16),
        ("gzip", packed.clone()),
        ("gzip twice", gzip(&packed)),
        ("padded gzip", [&packed[..], &[0; 512]].concat()),
        ("zstd", zstd::encode_all(plain.as_bytes(), 3).unwrap()),
    ] {
        let found = read(bytes, &wanted("y")).unwrap();
        assert_eq!(names(&found), ["a", "b"], "{form}");
        assert_eq!(found.labels, expected.labels, "{form}");
        assert_eq!(values(found), [1.0, 2.0, -300.0, 0.5], "{form}");
    }
}

/// Blocks of a file are read at the same time; where they are cut makes no difference.
#[test]
fn a_long_table_is_read_as_a_short_one() {
    let mut text = "a,note,y\n".to_owned();
    for row in 0..60_000 {
        let note = match row % 3 {
            0 => "\"one, \"\"two\"\"\nthree\"",
            1 => "four",
            _ => "\"five\"",
        };
        text += &format!("{},{note},{}\n", f64::from(row) / 7.0, row % 2);
    }
    let columns = TableColumns {
        ignore: vec!["note".to_owned()],
        id: Some("note".to_owned()).filter(|_| false),
        ..wanted("y")
    };
    for text in [
        text.clone(),
        text.replace('\n', "\r\n"),
        text.replace('\n', "\r"),
    ] {
        let found = read(text, &columns).unwrap();
        assert_eq!(found.rows(), 60_000);
        let lines = found.lines.clone().unwrap();
        assert_eq!(lines[..4], [2, 4, 5, 6]);
        assert_eq!(lines[59_999], 2 + 59_999 + 20_000);
        let all = values(found);
        assert_eq!((all[0], all[59_999]), (0.0, 59_999.0 / 7.0));
    }
    let told = read(text.replace("59998,", "x,y,"), &columns);
    let place = "row 59994 (line ";
    let wrong = text.replacen(&format!("{},\"one", 59_994.0 / 7.0), "1,2,\"one", 1);
    let told = (told.is_ok(), read(wrong, &columns).unwrap_err().to_string());
    assert!(told.1.contains(place), "{told:?}");
}

#[test]
fn lines_are_those_of_the_file_whatever_lies_between() {
    let text = "a,y\r\n\r\n1,\"two\r\nlines\"\r\n\r\n\r\n2,v\r\nx,v\r\n";
    let told = message(text, &wanted("y"));
    assert!(
        told.starts_with("t.csv: row 2 (line 8), column \"a\""),
        "{told}"
    );
    assert_eq!(table("a,y\n\n1,u\n\n2,v\n").lines, Some(vec![3, 5]));
}

#[test]
fn the_first_problem_of_the_text_is_told() {
    let told = message("a,y\n1,u\n\"1\"2,u\n", &wanted("y"));
    assert!(told.contains("line 3: expected a separator") && told.contains("found '2'"));
    let told = message("a,y\n1,u\n2,\"v\n3,u\n4,v\n", &wanted("y"));
    assert!(
        told.contains("line 3: expected the quote that opens here"),
        "{told}"
    );
    let told = message("a,b,y\n1,2,u\n2,u\n3,\"u\n", &wanted("y"));
    assert!(told.contains("row 1 (line 3): expected 3 cells"), "{told}");
}

/// What people wrote, and what they meant.
#[test]
fn marks_of_numbers_are_those_of_the_whole_file() {
    let number = |text: &str| values(read(text, &wanted("y")).unwrap());
    // A decimal comma elsewhere says what the points are.
    let found = number("x;z;y\n970;7,5;a\n1.067;5,5;b\n");
    assert_eq!(found, [970.0, 7.5, 1067.0, 5.5]);
    for (text, part) in [
        (
            "x\tz\ty\n970\t1\ta\n\"1,067\"\t2\tb\n",
            "may separate thousands or a fraction",
        ),
        (
            "x,y\n\"1.234,50\",a\n2.5,b\n",
            "one decimal mark in all numbers",
        ),
        (
            "x,y\n\"1,234.5\",a\n\"2,5\",b\n",
            "one decimal mark in all numbers",
        ),
        (
            "x,y\n4.5%,a\n7%,b\n",
            "numbers without signs such as % or €, found \"4.5%\"",
        ),
        ("x,y\n$4.20,a\n$3,b\n", "numbers without signs"),
        (
            "x,y\n1.2.2023,a\n15.2.2023,b\n",
            "dates as ISO 8601 has them",
        ),
    ] {
        let told = message(text, &wanted("y"));
        assert!(told.contains(part), "{text}: {told}");
    }
    let comma = TableColumns {
        text: table::TextForm {
            decimal: Some(b','),
            ..table::TextForm::default()
        },
        ..wanted("y")
    };
    assert_eq!(
        values(read("x;y\n1.234;a\n12.000;b\n", &comma).unwrap()),
        [1234.0, 12_000.0]
    );
    let told = message("x;y\n1.234;a\n2.5;b\n900;a\n", &comma);
    assert!(told.contains("found \"2.5\""), "{told}");
}

#[test]
fn texts_without_names_or_with_other_lines_above_them() {
    let label = |table: &Table, row: usize| table.labels().unwrap().text(row).to_owned();
    // A number is not the name of a column because a cell is this number.
    let found = read("1,0,0.37\n0,3,0.5\n2,1,0.25\n", &wanted("0")).unwrap();
    assert_eq!((found.rows(), label(&found, 2)), (3, "2".to_owned()));
    let found = read("1,1;3,3;b\n2,2;2,6;a\n1,5;2,5;b\n", &wanted("2")).unwrap();
    assert_eq!(label(&found, 1), "a");
    assert_eq!(values(found), [1.1, 3.3, 2.2, 2.6, 1.5, 2.5]);
    // As R writes tables, and with comments.
    let found = read(
        "\"x\" \"y\"\n\"1\" 2.5 \"b\"\n\"2\" 3 \"a\"\n",
        &wanted("y"),
    )
    .unwrap();
    assert_eq!(found.ids().unwrap(), ["1", "2"]);
    assert_eq!(values(found), [2.5, 3.0]);
    let found = read("# made by me\n# on a Monday\nx,y\n1,a\n2,b\n", &wanted("y")).unwrap();
    assert_eq!(
        (found.lines.clone(), values(found)),
        (Some(vec![4, 5]), vec![1.0, 2.0])
    );
    // A list of labels has a name, or none.
    let only = TableColumns {
        labels: table::LabelsWanted::Only,
        features: FeatureColumns::None,
        ..TableColumns::default()
    };
    for (text, rows) in [
        ("1\n0\n1\n", 3),
        ("y\n1\n0\n", 2),
        ("a\nb\na\n", 3),
        ("kind\na\nb\n", 2),
    ] {
        assert_eq!(read(text, &only).unwrap().rows(), rows, "{text}");
    }
}
