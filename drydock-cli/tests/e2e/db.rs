//! The upkeep of a database, as an operator does it: look, bring up to date, move to another back end, clear out.

use std::process::Command;

use serde_json::Value;

use crate::processes::{Site, run, said};

/// A PostgreSQL database of the test's own; gone with it.
struct Postgres {
    url: String,
    admin: String,
    name: String,
}

impl Postgres {
    fn new() -> Option<Self> {
        let Ok(admin) = std::env::var("DRYDOCK_TEST_POSTGRES") else {
            assert_ne!(
                std::env::var("CI").as_deref(),
                Ok("true"),
                "DRYDOCK_TEST_POSTGRES must be set in CI"
            );
            eprintln!("skipped: DRYDOCK_TEST_POSTGRES is not set");
            return None;
        };
        let name = format!("drydock_db_{}", std::process::id());
        let (base, _) = admin.rsplit_once('/').expect("a database in the URL");
        let url = format!("{base}/{name}");
        psql(&admin, &format!("CREATE DATABASE {name}"));
        Some(Postgres { url, admin, name })
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        psql(
            &self.admin,
            &format!("DROP DATABASE {} WITH (FORCE)", self.name),
        );
    }
}

fn psql(url: &str, sql: &str) {
    let done = Command::new("psql")
        .args(["--quiet", "--dbname", url, "--command", sql])
        .output()
        .expect("psql runs");
    assert!(done.status.success(), "{}", said(&done));
}

/// What a `db` command prints as JSON.
fn db(arguments: &[&str]) -> Value {
    let output = run(["db"].iter().chain(arguments).chain(&["-o", "json"]));
    assert!(
        output.status.success(),
        "db {arguments:?}: {}",
        said(&output)
    );
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn set(url: &str) -> String {
    format!("database.url={url}")
}

/// The tables of `db status`, with their digests.
fn tables(url: &str) -> Value {
    let status = db(&["status", "--digest", "--set", &set(url)]);
    assert_eq!(status["pending"], serde_json::json!([]), "{status:#}");
    assert_eq!(status["copy_unfinished"], false, "{status:#}");
    assert!(status["size_bytes"].as_u64() > Some(10_000), "{status:#}");
    status["tables"].clone()
}

fn rows(tables: &Value, name: &str) -> u64 {
    let mut found = tables.as_array().into_iter().flatten();
    let table = found.find(|table| table["name"] == name);
    table.expect("the table")["rows"]
        .as_u64()
        .expect("a number")
}

/// A site that has done some work, and the URL of its database.
fn worked() -> (Site, String) {
    let mut site = Site::new("lab.yaml", "0", None);
    let url = format!(
        "sqlite://{}",
        site.folder.path().join("drydock.db").display()
    );
    let server = site.serve(&[]);
    let design = site.upload();
    site.succeed("verify_site", &design);
    site.succeed("prepare_nodes", &design);
    let output = run([
        "db",
        "copy",
        "--from",
        &url,
        "--to",
        "sqlite://never-made.db",
    ]);
    assert_eq!(output.status.code(), Some(1));
    let text = said(&output);
    assert!(
        text.contains("a server is at work") && text.contains("--force"),
        "{text}"
    );
    assert_eq!(server.terminate(), Some(0));
    (site, url)
}

#[test]
fn a_site_moves_to_postgres_and_back() {
    let Some(postgres) = Postgres::new() else {
        return;
    };
    let (mut site, from) = worked();
    let before = tables(&from);
    assert!(rows(&before, "steps") > 4 && rows(&before, "journal") > 0);
    let copied = db(&["copy", "--from", &from, "--to", &postgres.url]);
    assert_eq!(copied["resumed"], false, "{copied:#}");
    assert_eq!(tables(&postgres.url), before);

    // The site goes on from where it was, on the other back end.
    let server = site.serve(&[&set(&postgres.url)]);
    let design = site.upload();
    site.succeed("verify_nodes", &design);
    assert_eq!(server.terminate(), Some(0));
    let later = tables(&postgres.url);
    assert_eq!(rows(&later, "tasks"), rows(&before, "tasks") + 1);
    assert_eq!(rows(&later, "designs"), rows(&before, "designs") + 1);

    let back = site.folder.path().join("back.db");
    let back = format!("sqlite://{}", back.display());
    let output = run(["db", "copy", "--from", &postgres.url, "--to", &back]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(
        said(&output).contains("both are the same by count and digest"),
        "{}",
        said(&output)
    );
    assert_eq!(tables(&back), later);

    // The file that it came from holds something else by now.
    let output = run(["db", "copy", "--from", &postgres.url, "--to", &from]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("holds something else"),
        "{}",
        said(&output)
    );
    assert_eq!(tables(&from), before);
    let _server = site.serve(&[&set(&back)]);
    let (code, _) = site.end(&site.begin("verify_site", &design));
    assert_eq!(code, Some(0));
}

#[test]
fn a_database_is_made_looked_at_and_cleared_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("new.db");
    let url = format!("sqlite://{}", file.display());
    let output = run(["db", "status", "--set", &set(&url)]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("there is no file"),
        "{}",
        said(&output)
    );
    assert!(!file.exists());

    let migrated = db(&["migrate", "--set", &set(&url)]);
    assert_eq!(migrated["before"], Value::Null);
    assert_eq!(migrated["applied"][0]["description"], "first");
    assert_eq!(
        migrated["applied"]
            .as_array()
            .map(Vec::len)
            .map(|n| n as u64),
        migrated["now"].as_u64()
    );
    let again = db(&["migrate", "--set", &set(&url)]);
    assert_eq!(again["applied"], serde_json::json!([]));
    assert_eq!(again["before"], migrated["now"]);

    let output = run(["db", "status", "--set", &set(&url)]);
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    for wanted in ["SQLite 3.", "schema: version", "size: ", "leadership"] {
        assert!(text.contains(wanted), "no {wanted}: {text}");
    }
    let output = run(["db", "purge", "--days", "0", "--set", &set(&url)]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    let output = run(["db", "purge", "--days", "1", "--set", &set(&url)]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("deleted 0 task(s)"));
}

#[test]
fn a_password_is_not_repeated() {
    let url = "postgres://operator:geheim@127.0.0.1:1/drydock";
    for command in [
        vec!["db", "status", "--set", "database.url=env:THE_URL"],
        vec![
            "db",
            "copy",
            "--from",
            "env:THE_URL",
            "--to",
            "sqlite://x.db",
        ],
        vec!["db", "copy", "--from", url, "--to", "sqlite://x.db"],
    ] {
        let output = crate::processes::drydock()
            .args(&command)
            .env("THE_URL", url)
            .output()
            .expect("the binary runs");
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        let text = said(&output);
        assert!(
            text.contains("connecting to PostgreSQL") && !text.contains("geheim"),
            "{text}"
        );
    }
}
