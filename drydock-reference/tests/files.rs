//! File references: folders that are allowed, and the ways out of them that are not.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use drydock_model::reference::{ReferenceFault, References};
use drydock_reference::{Fetcher, ReferenceSettings};

fn fetcher(folder: &Path) -> Fetcher {
    Fetcher::new(ReferenceSettings {
        allow_refs: vec![folder.display().to_string()],
        max_bytes: 16,
        ..ReferenceSettings::default()
    })
    .unwrap()
}

fn uri(path: &Path) -> String {
    format!("file://{}", path.display())
}

#[tokio::test]
async fn reads_files_of_an_allowed_folder() {
    let home = tempfile::tempdir().unwrap();
    let inside = home.path().join("designs");
    fs::create_dir(&inside).unwrap();
    fs::write(inside.join("a b.yaml"), "sixteen bytes ok").unwrap();
    let fetcher = fetcher(&inside);
    let reference = uri(&inside).replace(' ', "%20") + "/a%20b.yaml";
    assert_eq!(
        fetcher.fetch(&reference).await.unwrap(),
        b"sixteen bytes ok"
    );
}

#[tokio::test]
async fn nothing_leads_out_of_an_allowed_folder() {
    let home = tempfile::tempdir().unwrap();
    let inside = home.path().join("designs");
    fs::create_dir(&inside).unwrap();
    fs::write(home.path().join("secret"), "secret").unwrap();
    symlink(home.path().join("secret"), inside.join("link")).unwrap();
    symlink(home.path(), inside.join("up")).unwrap();
    let fetcher = fetcher(&inside);
    for way in [
        "../secret",
        "..%2fsecret",
        "%2e%2e/secret",
        "link",
        "up/secret",
        "up/none",
    ] {
        let error = fetcher
            .fetch(&format!("{}/{way}", uri(&inside)))
            .await
            .unwrap_err();
        let expected = if way == "up/none" {
            ReferenceFault::NotFound
        } else {
            ReferenceFault::NotAllowed
        };
        assert_eq!(error.fault, expected, "{way}: {error}");
    }
}

#[tokio::test]
async fn a_link_to_an_allowed_folder_and_within_it_is_followed() {
    let home = tempfile::tempdir().unwrap();
    let inside = home.path().join("designs-1");
    fs::create_dir(&inside).unwrap();
    fs::write(inside.join("a.yaml"), "a").unwrap();
    symlink(inside.join("a.yaml"), inside.join("b.yaml")).unwrap();
    symlink(&inside, home.path().join("designs")).unwrap();
    let fetcher = fetcher(&home.path().join("designs"));
    for reference in [home.path().join("designs/b.yaml"), inside.join("a.yaml")] {
        assert_eq!(
            fetcher.fetch(&uri(&reference)).await.unwrap(),
            b"a",
            "{}",
            reference.display()
        );
    }
}

#[tokio::test]
async fn says_what_is_wrong_with_a_file() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("large"), "seventeen bytes !").unwrap();
    let fetcher = fetcher(home.path());
    for (name, fault, said) in [
        ("large", ReferenceFault::TooLarge, "16 bytes"),
        ("absent", ReferenceFault::NotFound, "No such file"),
        ("", ReferenceFault::Refused, "not a regular file"),
    ] {
        let error = fetcher
            .fetch(&format!("{}/{name}", uri(home.path())))
            .await
            .unwrap_err();
        assert_eq!(error.fault, fault, "{error}");
        assert!(error.message.contains(said), "{error}");
    }
}

#[tokio::test]
async fn no_file_is_read_by_default() {
    let fetcher = Fetcher::new(ReferenceSettings::default()).unwrap();
    assert!(fetcher.check("file:///etc/hostname").is_err());
    let error = fetcher.fetch("file:///etc/hostname").await.unwrap_err();
    assert_eq!(error.fault, ReferenceFault::NotAllowed);
    assert!(error.message.contains("design.allow_refs"), "{error}");
}
