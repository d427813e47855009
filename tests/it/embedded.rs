//! What the embedded database alone has: a file, the lock on its directory, its backup. These tests use it even where the
//! others are on a server, so that each of them says the same everywhere.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::support::{PASSWORD, Program};

#[test]
fn nothing_else_that_needs_the_data_directory_runs_beside_serve() {
    let program = Program::embedded();
    let server = program.serve(&[]);
    for arguments in [&["serve", "--listen", "127.0.0.1:0"][..], &["migrate"], &["restore", "backup.db"]] {
        let ended = program.run(arguments).expect(1);
        assert!(ended.stderr.contains("in use by another guildhall (process "), "{}", ended.stderr);
    }
    server.get("/readyz").expect(200);
}

#[test]
fn a_backup_made_while_serving_is_restored_whole() {
    let program = Program::embedded();
    program.make_administrator();
    let server = program.serve(&["--rate-limit", "off"]);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..1_000 {
                if done.load(Ordering::SeqCst) {
                    return;
                }
                let name = format!("person{number}");
                let body =
                    json!({ "username": name, "email": format!("{name}@example.com"), "password": PASSWORD });
                server.post("/users/register", None, &body).expect(201);
            }
        });
        let ended = program.run(&["backup", "copy.db"]);
        done.store(true, Ordering::SeqCst);
        ended.expect(0);
    });
    assert!(!program.dir().join("copy.db.partial").exists());
    program.run(&["backup", "copy.db"]).expect(1);

    program.run(&["restore", "copy.db", "--data-dir", "elsewhere"]).expect(0);
    let restored = program.serve(&["--data-dir", "elsewhere"]);
    restored.get("/readyz").expect(200);
    restored.log_in("keeper");
}

#[test]
fn verify_makes_no_database_out_of_a_mistyped_directory() {
    let program = Program::embedded();
    program.run(&["verify"]).expect(1);
    assert!(!program.dir().join("guildhall.db").exists());
}

#[test]
fn restore_touches_neither_a_database_nor_takes_what_is_none() {
    let program = Program::embedded();
    program.make_administrator();
    program.run(&["backup", "copy.db"]).expect(0);
    let ended = program.run(&["restore", "copy.db"]).expect(1);
    assert!(ended.stderr.contains("guildhall.db exists"), "{}", ended.stderr);

    let mut bytes = std::fs::read(program.dir().join("copy.db")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..].fill(0xa5);
    std::fs::write(program.dir().join("damaged.db"), &bytes).unwrap();
    std::fs::write(program.dir().join("letter.db"), "Dear guild, ".repeat(1_000)).unwrap();
    for file in ["damaged.db", "letter.db", "missing.db"] {
        program.run(&["restore", file, "--data-dir", "fresh"]).expect(1);
        assert!(!program.dir().join("fresh/guildhall.db").exists(), "{file}");
    }
}

#[test]
fn doctor_knows_who_uses_the_data_directory() {
    let program = Program::embedded();
    let server = program.serve(&[]);
    let beside = program.run(&["doctor", "--listen", &server.address]).expect(0);
    assert!(beside.stdout.contains("ok    a guildhall uses the data directory"), "{}", beside.stdout);
}
