//! The forms of CSV, good and bad lines, and what is told of them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use maillogsentinel::enrich::geo::{Databases, Format, Kind, check};

use crate::folder::{Folder, country, network, warnings};

fn countries(path: PathBuf) -> Databases {
    Databases::new(vec![path], vec![], None)
}

fn networks(path: PathBuf) -> Databases {
    Databases::new(vec![], vec![path], None)
}

#[test]
fn each_form_of_a_range_is_read() {
    let folder = Folder::new();
    for form in [
        "192.0.2.0,192.0.2.255,FR\n2001:db8::,2001:db8:ffff:ffff:ffff:ffff:ffff:ffff,NL\n",
        "3221225984,3221226239,fr\n42540766411282592856903984951653826560,42540766490510755371168322545197776895,nl",
        "\u{feff}ip_range_start,ip_range_end,country_code\r\n\r\n 192.0.2.0 , 192.0.2.255 ,\"FR\"\r\n\
         \u{feff}ip_range_start,ip_range_end,country_code\r\n2001:DB8::,2001:db8:FFFF:ffff:ffff:ffff:ffff:ffff,NL\r\n",
        "\"192.0.2.0\",\"192.0.2.255\",\"FR\",\"France\",\"Paris\"\n\"2001:db8::\",\"2001:db8:ffff:ffff:ffff:ffff:ffff:ffff\",\"NL\",\"\"",
        "192.0.2.0/24,FR\n2001:db8::/32,NL\n",
        "::ffff:192.0.2.0,::ffff:192.0.2.255,FR\n2001:db8::/32,NL\n",
    ] {
        let mut databases = countries(folder.file("country.csv", form));
        assert_eq!(country(&mut databases, "192.0.2.0"), "FR", "{form}");
        assert_eq!(country(&mut databases, "::ffff:192.0.2.255"), "FR", "{form}");
        assert_eq!(country(&mut databases, "192.0.1.255"), "", "{form}");
        assert_eq!(country(&mut databases, "192.0.3.0"), "", "{form}");
        assert_eq!(country(&mut databases, "2001:db8::"), "NL", "{form}");
        assert_eq!(
            country(&mut databases, "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
            "NL",
            "{form}"
        );
        assert_eq!(country(&mut databases, "2001:db9::"), "", "{form}");
        assert_eq!(warnings(&mut databases), [""; 0], "{form}");
    }
}

#[test]
fn organisations_are_kept_as_they_are_written() {
    let folder = Folder::new();
    let mut databases = networks(folder.file(
        "asn.csv",
        b"192.0.2.0,192.0.2.0,64496,\"Example, \"\"Inc.\"\"\"\n192.0.2.1,192.0.2.1,AS64497,a \"b\" c\n\
          192.0.2.2,192.0.2.2,64498\n192.0.2.3,192.0.2.3,64499,-\n192.0.2.4,192.0.2.4,4294967295,\xff\x1b\n\
          192.0.2.5,192.0.2.5,0,Not routed\n192.0.2.6,192.0.2.6,,\n192.0.2.7,192.0.2.7,64500,None\n",
    ));
    for (address, expected) in [
        ("192.0.2.0", "64496 Example, \"Inc.\""),
        ("192.0.2.1", "64497 a \"b\" c"),
        ("192.0.2.2", "64498 "),
        ("192.0.2.3", "64499 "),
        ("192.0.2.4", "4294967295 \\xff\\x1b"),
        ("192.0.2.5", ""),
        ("192.0.2.6", ""),
        ("192.0.2.7", "64500 "),
    ] {
        assert_eq!(network(&mut databases, address), expected);
    }
    assert_eq!(warnings(&mut databases), [""; 0]);
}

#[test]
fn bad_lines_are_told_and_good_ones_used() {
    let folder = Folder::new();
    let path = folder.file(
        "asn.csv",
        b"192.0.2.9,192.0.2.1,1,a\n192.0.2.0,192.0.2.255,64496,b\n192.0.2.0,2001:db8::,1,c\n\
          192.0.2.0\n\x1b[2J,1.2.3.4,1,d\n1.2.3.4,1.2.3.5,AS-1,e\n1.2.3.4,1.2.3.5,1,\"f\n1.2.3.4,1.2.3.5,1,\"g\"h\n\
          340282366920938463463374607431768211456,1,1,x\n1,a,1,x\n1.2.3.4/33,1,x\n198.51.100.0,198.51.100.9,64497,z\n",
    );
    let mut databases = networks(path.clone());
    assert_eq!(network(&mut databases, "192.0.2.1"), "64496 b");
    assert_eq!(network(&mut databases, "198.51.100.1"), "64497 z");
    assert_eq!(network(&mut databases, "1.2.3.4"), "");
    let path = path.display();
    assert_eq!(
        warnings(&mut databases),
        [
            format!("{path}:1: the range ends before it starts"),
            format!("{path}:3: the range starts in IPv4 and ends in IPv6, or the reverse"),
            format!("{path}:4: the line has too few fields"),
            format!("{path}: 10 of 12 lines are left out"),
        ]
    );
    assert_eq!(warnings(&mut databases), [""; 0], "each is told once");
}

#[test]
fn what_a_message_repeats_cannot_steer_a_terminal() {
    let folder = Folder::new();
    let line = format!("\u{1b}]0;{},1.2.3.4,FR\n1.2.3.4,1.2.3.4,FR\n", "x".repeat(99));
    let mut databases = countries(folder.file("country.csv", line));
    assert_eq!(country(&mut databases, "1.2.3.4"), "FR");
    let told = warnings(&mut databases);
    assert!(
        told[0].contains(":1: \"\\x1b]0;xxxx") && told[0].ends_with("x...\" is not an address"),
        "{told:?}"
    );
}

#[test]
fn where_ranges_overlap_the_upper_line_holds_and_it_is_told() {
    let folder = Folder::new();
    let path = folder
        .file("country.csv", "10.0.0.5,10.0.0.9,FR\n10.0.0.0,10.0.0.7,DE\n9.0.0.0,9.0.0.1,US\n");
    let mut databases = countries(path.clone());
    for (address, expected) in
        [("10.0.0.4", "DE"), ("10.0.0.5", "FR"), ("10.0.0.9", "FR"), ("9.0.0.1", "US")]
    {
        assert_eq!(country(&mut databases, address), expected, "{address}");
    }
    let what = "the range overlaps that of line 1, which says otherwise and holds";
    assert_eq!(warnings(&mut databases), [format!("{}:2: {what}", path.display())]);
}

#[test]
fn a_long_line_costs_itself_only() {
    let folder = Folder::new();
    let long = "x".repeat(3_000_000);
    let mut databases = countries(folder.file("c", format!("{long}\n1.2.3.4,1.2.3.4,FR\n{long}")));
    assert_eq!(country(&mut databases, "1.2.3.4"), "FR");
    let told = warnings(&mut databases);
    assert!(
        told[0].ends_with(":1: the line is too long")
            && told[2].ends_with("2 of 3 lines are left out"),
        "{told:?}"
    );
}

#[test]
fn a_file_that_cannot_be_used_is_told_and_the_next_is_asked() {
    let folder = Folder::new();
    let good = folder.file("good.csv", "1.2.3.4,1.2.3.4,FR\n");
    fs::create_dir(folder.path("directory")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, folder.path("pipe"), 0o600.into()).unwrap();
    for (path, expected) in [
        (folder.path("missing.csv"), "does not exist"),
        (folder.file("empty", ""), "is empty"),
        (folder.path("directory"), "is not a file"),
        (folder.path("pipe"), "is not a file"),
        (
            folder.file("header", "ip_range_start,ip_range_end,country_code\n"),
            "has no usable line: it has a header only",
        ),
        (folder.file("html", "<!DOCTYPE html>\n<title>404</title>\n"), "it is HTML or XML"),
        (
            folder.file("asn", "1.2.3.4,1.2.3.4,13335,x\n"),
            "has no usable line: line 1: \"13335\" is not a country of two letters",
        ),
        (folder.file("gz", b"\x1f\x8b\x08\x00"), "it is compressed with gzip, unpack it"),
        (folder.file("binary", b"\x00\x01\x02"), "it is binary, perhaps an MMDB that was cut"),
    ] {
        let mut databases = Databases::new(vec![path.clone(), good.clone()], vec![], None);
        assert_eq!(country(&mut databases, "1.2.3.4"), "FR");
        let told = databases.warnings();
        assert_eq!(told.len(), 1);
        assert!(
            told[0].text.ends_with(expected) && told[0].text.contains(path.to_str().unwrap()),
            "{told:?}"
        );
        assert!(told[0].hint.is_some(), "{told:?}");
        assert_eq!(databases.warnings(), []);
        let about = databases.describe();
        assert_eq!(
            (about[0].format.as_ref(), about[0].error.as_ref()),
            (None, Some(&told[0].text))
        );
        assert_eq!((about[1].format.as_ref(), about[1].ranges), (Some(&Format::Ranges), 1));
        assert!(about[1].dated.is_some() && check(&path, Kind::Countries).is_err());
    }
}

#[test]
fn nothing_is_opened_that_no_address_needs() {
    let folder = Folder::new();
    let good = folder.file("good.csv", "1.2.3.4,1.2.3.4,FR\n");
    let mut databases = Databases::new(vec![good, folder.path("missing.csv")], vec![], None);
    assert_eq!(databases.warnings(), []);
    assert_eq!(country(&mut databases, "1.2.3.4"), "FR");
    assert_eq!(databases.warnings(), [], "the second was not needed");
    assert_eq!(country(&mut databases, "1.2.3.5"), "");
    assert_eq!(databases.warnings().len(), 1);
}

#[test]
fn a_changed_source_is_compiled_anew() {
    let folder = Folder::new();
    let cached = |path: &PathBuf| Databases::new(vec![path.clone()], vec![], Some(folder.cache()));
    let path = folder.file("country.csv", "1.2.3.4,1.2.3.4,FR\nx\n");
    let told = [":2: the line has too few fields", ": 1 of 2 lines are left out"];
    let told = told.map(|what| format!("{}{what}", path.display()));
    for _ in 0..2 {
        let mut databases = cached(&path);
        assert_eq!(country(&mut databases, "1.2.3.4"), "FR");
        assert_eq!(warnings(&mut databases), told, "the compiled form keeps it");
    }
    let before = fs::read(folder.compiled()).unwrap();
    folder.file("country.csv", "1.2.3.4,1.2.3.4,DE\n");
    assert_eq!(country(&mut cached(&path), "1.2.3.4"), "DE");
    assert_ne!(fs::read(folder.compiled()).unwrap(), before);
    folder.file("other.csv", "1.2.3.4,1.2.3.4,NL\n");
    fs::rename(folder.path("other.csv"), &path).unwrap();
    assert_eq!(country(&mut cached(&path), "1.2.3.4"), "NL", "another file of the same size");
}

#[test]
fn without_a_cache_it_works_as_well() {
    let folder = Folder::new();
    let path = folder.file("country.csv", "1.2.3.4,1.2.3.4,FR\n");
    let in_the_way = folder.file("file", "");
    let mut databases = Databases::new(vec![path], vec![], Some(in_the_way));
    assert_eq!(country(&mut databases, "1.2.3.4"), "FR");
    let told = warnings(&mut databases);
    assert!(told.len() == 1 && told[0].contains("cannot keep the compiled form"), "{told:?}");
}

#[test]
fn a_folder_that_cannot_be_written_keeps_no_rubbish() {
    let folder = Folder::new();
    let path = folder.file("country.csv", "1.2.3.4,1.2.3.4,FR\n");
    fs::create_dir(folder.cache()).unwrap();
    fs::set_permissions(folder.cache(), fs::Permissions::from_mode(0o555)).unwrap();
    let mut databases = Databases::new(vec![path], vec![], Some(folder.cache()));
    assert_eq!(country(&mut databases, "1.2.3.4"), "FR");
    let hidden = |it: &fs::DirEntry| it.file_name().to_string_lossy().starts_with('.');
    let left = fs::read_dir(folder.cache()).unwrap().filter(|it| hidden(it.as_ref().unwrap()));
    assert_eq!(left.count(), 0);
}

#[test]
fn databases_may_move_to_another_thread() {
    fn moves<T: Send>() {}
    moves::<Databases>();
}
