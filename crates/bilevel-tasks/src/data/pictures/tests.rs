//! Trees, archives and lists of pictures.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use image::{GrayImage, ImageFormat, Luma, Rgb, RgbImage};
use tempfile::TempDir;

use super::{PictureOptions, PictureSet, Split};
use crate::Error;

/// A grey PNG of this size, all of whose pixels are this value but the first, which is black.
fn png(side: u32, value: u8) -> Vec<u8> {
    let mut image = GrayImage::from_pixel(side, side, Luma([value]));
    image.put_pixel(0, 0, Luma([0]));
    encoded(&image.into(), ImageFormat::Png)
}

fn encoded(image: &image::DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn write(root: &Path, name: &str, bytes: impl AsRef<[u8]>) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Two alphabets below a shared folder.
fn drawings() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (number, name) in [
        "images/Greek/alpha/1.png",
        "images/Greek/alpha/2.png",
        "images/Greek/beta/1.png",
        "images/Latin/a/1.png",
        "images/Latin/a/2.png",
    ]
    .into_iter()
    .enumerate()
    {
        write(root.path(), name, png(4, 10 * number as u8 + 1));
    }
    write(root.path(), "images/notes.txt", "not a picture");
    write(root.path(), "images/Greek/.hidden/1.png", "nothing");
    root
}

fn read(path: &Path) -> Result<PictureSet, Error> {
    PictureSet::read(&[path.to_owned()], &PictureOptions::default()).map(|(set, _)| set)
}

fn told(path: &Path) -> String {
    read(path).unwrap_err().to_string()
}

/// The classes with the second pixel of each picture.
fn summary(set: &PictureSet) -> Vec<(String, Vec<u8>)> {
    let of = |&picture: &u32| set.pixels(picture)[set.shape.channels];
    let classes = set.classes.iter();
    classes
        .map(|class| (class.name.clone(), class.pictures.iter().map(of).collect()))
        .collect()
}

fn zipped(root: &Path, to: &Path) {
    let mut zip = zip::ZipWriter::new(fs::File::create(to).unwrap());
    let mut waiting = vec![root.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
                continue;
            }
            let name = path
                .strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            let options = zip::write::SimpleFileOptions::default();
            zip.start_file(name, options).unwrap();
            zip.write_all(&fs::read(path).unwrap()).unwrap();
        }
    }
    zip.finish().unwrap();
}

#[test]
fn trees_and_archives_give_the_same_classes() {
    let root = drawings();
    let set = read(root.path()).unwrap();
    let expected = [
        ("Greek/alpha", vec![1, 11]),
        ("Greek/beta", vec![21]),
        ("Latin/a", vec![31, 41]),
    ]
    .map(|(name, pixels)| (name.to_owned(), pixels));
    assert_eq!(summary(&set), expected);
    let folder = tempfile::tempdir().unwrap();
    let zip = folder.path().join("drawings");
    zipped(root.path(), &zip);
    assert_eq!(summary(&read(&zip).unwrap()), expected);
    let packed = folder.path().join("drawings.tgz");
    let file = fs::File::create(&packed).unwrap();
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(
        file,
        flate2::Compression::fast(),
    ));
    tar.append_dir_all("x", root.path()).unwrap();
    tar.into_inner().unwrap().finish().unwrap();
    assert_eq!(summary(&read(&packed).unwrap()), expected);
    let (_, notes) =
        PictureSet::read(std::slice::from_ref(&zip), &PictureOptions::default()).unwrap();
    assert!(notes[0].contains("1 file passed over"), "{notes:?}");
    // The same classes in two paths.
    let paths = [zip, packed];
    let twice = PictureSet::read(&paths, &PictureOptions::default()).unwrap_err();
    assert!(
        twice
            .to_string()
            .contains("Greek/alpha, which an earlier path has too"),
        "{twice}"
    );
}

#[test]
fn lists_say_what_classes_are_for() {
    let root = tempfile::tempdir().unwrap();
    let lists = [
        ("train", ["n1", "n2"]),
        ("val", ["n3", "n4"]),
        ("test", ["n5", "n6"]),
    ];
    let mut value = 0;
    for (split, labels) in lists {
        let mut list = "filename,label\n".to_owned();
        for label in labels {
            for number in 0..2 {
                value += 1;
                let name = format!("{label}{number:08}.jpg");
                write(root.path(), &format!("images/{name}"), png(4, value));
                list += &format!("{name},{label}\n");
            }
        }
        write(root.path(), &format!("{split}.csv"), list);
    }
    write(root.path(), "images/extra.png", png(4, 99));
    let (set, notes) =
        PictureSet::read(&[root.path().to_owned()], &PictureOptions::default()).unwrap();
    let splits: Vec<_> = set
        .classes
        .iter()
        .map(|class| class.split.unwrap())
        .collect();
    let (train, val, test) = (Split::Train, Split::Validation, Split::Test);
    assert_eq!(splits, [train, train, val, val, test, test]);
    assert_eq!(summary(&set)[2], ("n3".to_owned(), vec![5, 6]));
    assert!(notes[0].contains("1 picture left out"), "{notes:?}");

    // Class folders with the same lists.
    let folders = tempfile::tempdir().unwrap();
    for (split, labels) in lists {
        let mut list = "filename,label\n".to_owned();
        for label in labels {
            write(folders.path(), &format!("images/{label}/0.png"), png(4, 7));
            list += &format!("0.png,{label}\n");
        }
        write(folders.path(), &format!("{split}.csv"), list);
    }
    assert_eq!(read(folders.path()).unwrap().classes.len(), 6);

    for (list, expected) in [
        ("filename,label\nnone.jpg,n1\n", "found no none.jpg"),
        (
            "filename,label\nn100000000.jpg,n1\nn100000000.jpg,n1\n",
            "found n100000000.jpg again",
        ),
        (
            "filename,label\nextra.png,n3\n",
            "n3, which another list has too",
        ),
        ("file,class\n", "found the columns file, class"),
    ] {
        write(root.path(), "train.csv", list);
        let told = told(root.path());
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn folders_named_after_splits_are_splits() {
    let root = tempfile::tempdir().unwrap();
    for name in [
        "train/cat/1.png",
        "train/dog/1.png",
        "val/cow/1.png",
        "test/hen/1.png",
    ] {
        write(root.path(), name, png(4, 9));
    }
    let set = read(root.path()).unwrap();
    let found: Vec<_> = set
        .classes
        .iter()
        .map(|c| (c.name.as_str(), c.split))
        .collect();
    assert_eq!(
        found,
        [
            ("cat", Some(Split::Train)),
            ("cow", Some(Split::Validation)),
            ("dog", Some(Split::Train)),
            ("hen", Some(Split::Test)),
        ]
    );
    write(root.path(), "test/cat/1.png", png(4, 9));
    assert!(
        told(root.path()).contains("found cat in test and train"),
        "{}",
        told(root.path())
    );
}

#[test]
fn sizes_and_channels_fit_or_are_named() {
    let root = drawings();
    write(root.path(), "images/Latin/b/1.png", png(6, 3));
    let error = read(root.path()).unwrap_err();
    let told = error.to_string();
    assert!(
        told.contains("4×4 (images/Greek/alpha/1.png), found 6×6"),
        "{told}"
    );
    assert_eq!(error.hint(), Some(crate::Hint::ImageSize(4)));
    let options = PictureOptions {
        size: Some((5, 5)),
        cache: None,
    };
    let paths = [root.path().to_owned()];
    let (set, _) = PictureSet::read(&paths, &options).unwrap();
    assert_eq!((set.shape.height, set.classes.len()), (5, 4));
    // A picture in colour gives all three channels.
    let colour = RgbImage::from_pixel(4, 4, Rgb([1, 2, 3]));
    let colour = encoded(&colour.into(), ImageFormat::Png);
    write(root.path(), "images/Latin/b/1.png", colour);
    let set = read(root.path()).unwrap();
    assert_eq!(set.shape.channels, 3);
    assert_eq!(set.pixels(1)[3..6], [11; 3]);
    // A large first drawing becomes 28×28.
    let large = tempfile::tempdir().unwrap();
    for name in ["a/1.png", "b/1.png"] {
        write(large.path(), name, png(105, 200));
    }
    let (set, notes) =
        PictureSet::read(&[large.path().to_owned()], &PictureOptions::default()).unwrap();
    assert_eq!((set.shape.width, set.shape.channels), (28, 1));
    assert!(notes[0].contains("resized to 28×28"), "{notes:?}");
}

#[test]
fn pictures_of_every_kind_are_read() {
    let root = tempfile::tempdir().unwrap();
    let deep = image::ImageBuffer::from_pixel(4, 4, Luma([40_000_u16]));
    write(
        root.path(),
        "a/16.png",
        encoded(&deep.into(), ImageFormat::Png),
    );
    let alpha = image::ImageBuffer::from_pixel(4, 4, image::LumaA([100_u8, 255]));
    write(
        root.path(),
        "a/alpha.png",
        encoded(&alpha.into(), ImageFormat::Png),
    );
    let jpeg = GrayImage::from_pixel(4, 4, Luma([50]));
    write(
        root.path(),
        "b/plain.jpeg",
        encoded(&jpeg.into(), ImageFormat::Jpeg),
    );
    let set = read(root.path()).unwrap();
    let values: Vec<u8> = (0..3).map(|picture| set.pixels(picture)[5]).collect();
    assert_eq!(values[1..], [100, 50]);
    assert!(values[0].abs_diff(156) <= 1, "{values:?}");
}

/// As the Python image library wrote them (`tests/files/make.py`): a palette, transparency, a JPEG for print, a progressive one.
#[test]
fn colours_are_those_of_any_encoding() {
    let stored = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files/stored/kinds");
    let names = ["palette.png", "alpha.png", "print.jpg", "progressive.jpg"];
    for name in names {
        let root = tempfile::tempdir().unwrap();
        for class in ["a", "b"] {
            let bytes = std::fs::read(stored.join(name)).unwrap();
            write(root.path(), &format!("{class}/{name}"), bytes);
        }
        let set = read(root.path()).unwrap();
        assert_eq!(set.shape.channels, 3, "{name}");
        let pixels = set.pixels(0);
        for (found, expected) in pixels[..3].iter().zip([200_u8, 40, 90]) {
            assert!(found.abs_diff(expected) <= 4, "{name}: {:?}", &pixels[..3]);
        }
    }
}

/// A JPEG that says it is to be turned by a quarter to the right.
#[test]
fn pictures_are_turned_as_their_camera_says() {
    let mut image = GrayImage::from_pixel(16, 16, Luma([0]));
    for row in 0..16 {
        for column in 0..8 {
            image.put_pixel(column, row, Luma([255]));
        }
    }
    let plain = encoded(&image.into(), ImageFormat::Jpeg);
    // EXIF: little-endian TIFF with one entry, orientation 6.
    let tiff = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    let mut turned = plain[..2].to_vec();
    turned.extend([0xff, 0xe1]);
    turned.extend((tiff.len() as u16 + 2).to_be_bytes());
    turned.extend(tiff);
    turned.extend(&plain[2..]);
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "a/1.jpg", plain);
    write(root.path(), "b/1.jpg", turned);
    let set = read(root.path()).unwrap();
    let bright =
        |picture: u32, row: usize, column: usize| set.pixels(picture)[row * 16 + column] > 128;
    assert!(
        bright(0, 15, 0) && !bright(0, 0, 15),
        "the left half is white"
    );
    assert!(bright(1, 0, 15) && !bright(1, 15, 0), "then the upper half");
}

#[test]
fn what_is_no_picture_is_named() {
    let whole = encoded(
        &GrayImage::from_pixel(40, 40, Luma([9])).into(),
        ImageFormat::Jpeg,
    );
    let cut = &whole[..whole.len() / 2];
    let cut_png = &png(30, 100)[..60];
    for (bytes, expected) in [
        (&b""[..], "a/2.png"),
        (&b"hello"[..], "a/2.png"),
        (cut, "cut short"),
        (cut_png, "a/2.png"),
    ] {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "a/1.png", png(4, 1));
        write(root.path(), "a/2.png", bytes);
        write(root.path(), "b/1.png", png(4, 1));
        let told = told(root.path());
        assert!(
            told.contains(expected) && told.contains("a/2.png"),
            "{told}"
        );
        // And in an archive.
        let folder = tempfile::tempdir().unwrap();
        let zip = folder.path().join("x.zip");
        zipped(root.path(), &zip);
        let told = read(&zip).unwrap_err().to_string();
        assert!(told.contains("x.zip: a/2.png"), "{told}");
    }
    let empty = tempfile::tempdir().unwrap();
    assert!(told(empty.path()).contains("found no picture"));
    write(empty.path(), "1.png", png(4, 1));
    assert!(told(empty.path()).contains("the picture 1.png beside them"));
}

#[test]
fn an_archive_does_not_unpack_to_more_than_is_plausible() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bomb.zip");
    let mut zip = zip::ZipWriter::new(fs::File::create(&path).unwrap());
    zip.start_file("a/1.png", zip::write::SimpleFileOptions::default())
        .unwrap();
    let zeros = vec![0; 1 << 20];
    for _ in 0..65 {
        zip.write_all(&zeros).unwrap();
    }
    zip.finish().unwrap();
    assert!(fs::metadata(&path).unwrap().len() < 1 << 20);
    let told = told(&path);
    assert!(
        told.contains("a/1.png") && told.contains("more than 64 MB"),
        "{told}"
    );
}

#[test]
fn decoded_pictures_are_kept_and_never_trusted() {
    let (root, cache) = (drawings(), tempfile::tempdir().unwrap());
    let options = PictureOptions {
        size: None,
        cache: Some(cache.path().join("new")),
    };
    let read = || PictureSet::read(&[root.path().to_owned()], &options).unwrap();
    let first = read();
    let files = || -> Vec<PathBuf> {
        let entries = fs::read_dir(cache.path().join("new")).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    };
    let kept = files();
    assert_eq!(kept.len(), 1);
    let bytes = fs::read(&kept[0]).unwrap();
    assert_eq!(read(), first, "with its notes");
    // What is read is what is kept.
    let mut other = bytes.clone();
    for (place, damaged) in [(0, 1), (9, 7), (20, 1), (bytes.len() - 3, 1)] {
        other.clone_from(&bytes);
        other[place] ^= damaged;
        fs::write(&kept[0], &other).unwrap();
        assert_eq!(read(), first);
        assert_eq!(fs::read(&kept[0]).unwrap(), bytes, "made anew");
    }
    fs::write(&kept[0], &bytes[..bytes.len() / 2]).unwrap();
    assert_eq!(read(), first);
    // A changed source is another set.
    write(root.path(), "images/Latin/a/3.png", png(4, 77));
    assert_eq!(read().0.classes[2].pictures.len(), 3);
    assert_eq!(files().len(), 2);
    let blocked = PictureOptions {
        size: None,
        cache: Some(root.path().join("images/notes.txt")),
    };
    let (_, notes) = PictureSet::read(&[root.path().to_owned()], &blocked).unwrap();
    assert!(
        notes.iter().any(|note| note.contains("cannot be kept in")),
        "{notes:?}"
    );
}

/// A real file, where there is one.
fn shared(name: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let path = root.join(name);
    if !path.exists() {
        println!("skipped: {} is not there", path.display());
        return None;
    }
    Some(path)
}

#[test]
fn omniglot_is_read_from_its_archives() {
    let (Some(all), Some(one), Some(two)) = (
        shared("omniglot/omniglot28.tar.gz"),
        shared("omniglot/images_background_small1.zip"),
        shared("omniglot/images_background_small2.zip"),
    ) else {
        return;
    };
    let set = read(&all).unwrap();
    assert_eq!(
        (set.classes.len(), set.shape.height, set.shape.channels),
        (1623, 28, 1)
    );
    assert!(set.classes.iter().all(|class| class.pictures.len() == 20));
    assert_eq!(set.classes[0].name, "Alphabet_of_the_Magi/character01");
    let (small, notes) = PictureSet::read(&[one], &PictureOptions::default()).unwrap();
    assert_eq!(small.shape.height, 28);
    assert!(
        notes
            .iter()
            .any(|note| note.contains("the first is 105×105")),
        "{notes:?}"
    );
    let first = &small.classes[0].name;
    assert!(
        set.classes.iter().any(|class| class.name == *first),
        "{first}"
    );
    assert!(read(&two).is_ok());
}

#[test]
fn rows_of_pixels_are_pictures() {
    if let Some(path) = shared("cifar10/train_first4000.bin.gz") {
        let set = read(&path).unwrap();
        assert_eq!(
            (set.classes.len(), set.shape.channels, set.shape.width),
            (10, 3, 32)
        );
        let options = PictureOptions {
            size: Some((64, 64)),
            cache: None,
        };
        let told = PictureSet::read(&[path], &options).unwrap_err().to_string();
        assert!(told.contains("found 32×32"), "{told}");
    }
    if let Some(path) = shared("mnist/t10k-images-idx3-ubyte.gz") {
        let set = read(&path).unwrap();
        assert_eq!((set.classes.len(), set.shape.height), (10, 28));
        let pictures: usize = set.classes.iter().map(|class| class.pictures.len()).sum();
        assert_eq!(pictures, 10_000);
    }
    let root = tempfile::tempdir().unwrap();
    write(
        root.path(),
        "table.csv",
        "a,b,label\n1,2,cat\n2,1,dog\n1,1,cat\n2,2,dog\n",
    );
    let told = told(&root.path().join("table.csv"));
    assert!(
        told.contains("expected the name of the column of labels"),
        "{told}"
    );
}

#[test]
fn digits_are_pictures_in_classes() {
    let digits = crate::data::digits::digits();
    let set = PictureSet::of_dataset(&digits).unwrap();
    let sizes: Vec<usize> = set.classes.iter().map(|c| c.pictures.len()).collect();
    assert_eq!(sizes, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
    let picture = set.classes[3].pictures[7];
    assert_eq!(digits.labels()[picture as usize], 3);
    let row: Vec<u8> = digits
        .row(picture as usize)
        .iter()
        .map(|x| (x * 255.0).round() as u8)
        .collect();
    assert_eq!(set.pixels(picture), row);
}
