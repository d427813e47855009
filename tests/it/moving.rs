//! Everything moves from one database into another, or nothing does.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{Seek, SeekFrom, Write};
use std::sync::Arc;

use guildhall::db::{MIGRATIONS, Tx};
use guildhall::error::Result;
use guildhall::id::Id;
use guildhall::moving::{self, Checked, Contents, Kind, Progress, STAYS, TABLES};
use guildhall::params;
use guildhall::payments::cases;
use guildhall::providers::sandbox::knobs::{self, Knobs};
use guildhall::providers::{Notice, NoticeKind};
use guildhall::webhooks;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{PASSWORD, Person, Program, TestApp, path_of};
use crate::verify::lives_in;

async fn lived_in() -> TestApp {
    lives_in(TestApp::new().await).await
}

/// On the embedded database, whichever the others are on.
async fn embedded() -> TestApp {
    TestApp::with(|config| config.database_url = None).await
}

/// A row at least in every table, and some that are hard to spell.
async fn full(app: TestApp) -> (TestApp, Person) {
    let warden = app.second_admin().await;
    let fixed = json!([{ "amount": "0.30", "currency": "USD" }]);
    let rule = json!({ "scope": "category", "category": "Design", "percent": "7.5", "fixed": fixed });
    app.post("/admin/fees/rules", &warden, rule).await.expect(201);
    let app = lives_in(app).await;
    let (buyer, seller) = (app.log_in("buyer").await, app.log_in("seller").await);
    app.refresh(&buyer.refresh_token).await.expect(200);
    let page = json!({ "bio": "Lines,\n\"quotes\", ünïcode \u{1F426} and \\", "skills": ["inking"] });
    app.put("/profiles/me", &seller, page).await.expect(200);
    let work = json!({ "title": "Birds", "url": "https://example.com/birds" });
    app.post("/profiles/me/portfolio", &seller, work).await.expect(201);
    let listing = json!({ "title": "Voices", "description": "Warm.", "category": "audio", "price": "9.00" });
    let key = [("idempotency-key", "once")];
    app.request("POST", "/services", Some(&seller.token), &key, Some(listing)).await.expect(201);
    app.listing_with(&seller, json!({ "status": "draft", "tags": [] })).await;
    let archived = app.listing_with(&seller, json!({ "title": "Logos of long ago" })).await;
    app.delete(&path_of(&archived), &seller).await.expect(204);
    app.write(|tx| {
        tx.execute(
            "insert into settings (name, value) values ($1, $2), ($3, $4)",
            params!["Zoo", "after \u{7f} and \t", "apple", "[1,2]\n"],
        )?;
        tx.execute(
            "insert into login_throttles (key, failures, in_a_row, window_start, blocked_until, forget_at)
             values ($1, $2, $2, $3, $3, $4)",
            params![vec![0_u8, 255], 3_i64, tx.now(), None::<guildhall::time::Time>],
        )
    })
    .await;
    has_money_stories(&app).await;
    (app, buyer)
}

/// What money leaves behind when things do not go as they should.
async fn has_money_stories(app: &TestApp) {
    app.write(|tx| {
        let order: Id<()> =
            tx.one("select id from orders order by id limit 1", params![], |row| row.next())?;
        tx.execute(
            "insert into reconciliations (id, window_from, window_to, started_at, finished_at, differences, report)
             values ($1, $2, $3, $3, $3, 0, null)",
            params![tx.new_id::<()>(), guildhall::time::Time::from_micros(0), tx.now()],
        )?;
        cases::open(tx, cases::Kind::Strange, order, None, &json!({ "said": "\u{1F426}" }))?;
        let notice = Notice {
            id: "evt_1".to_owned(),
            kind: NoticeKind::Other,
            said: "quantum.entangled".to_owned(),
            reference: "q_1".to_owned(),
            key: Some("payment-1".to_owned()),
            order_id: Some(order),
            account: Some("acct_1".to_owned()),
            live: false,
            at: tx.now(),
        };
        webhooks::receive(tx, "sandbox", false, &notice)?;
        tx.execute(
            "insert into sandbox_events (id, said, object, reference, key, order_id, created_at, heard_at)
             values ($1, 'charge.succeeded', 'charge', 'ch_1', 'payment-1', $2, $3, $3)",
            params![tx.new_id::<()>(), order, tx.now()],
        )?;
        tx.execute(
            "insert into sandbox_accounts (id, key, created_at) values ('acct_1', 'account-1', $1)",
            params![tx.now()],
        )?;
        tx.execute(
            "insert into sandbox_transfers (id, key, account_id, charge_id, amount_minor, currency, created_at)
             select 'tr_1', 'transfer-1', 'acct_1', min(id), 0, 'USD', $1 from sandbox_charges",
            params![tx.now()],
        )?;
        tx.execute(
            "insert into sandbox_chargebacks (id, charge_id, amount_minor, currency, status, opened_at)
             select 'dp_1', min(id), 0, 'USD', 'open', $1 from sandbox_charges",
            params![tx.now()],
        )?;
        knobs::turn(tx, &Knobs { seed: 7, ..Knobs::default() })
    })
    .await;
}

async fn exported(app: &TestApp) -> (Contents, Vec<u8>) {
    moving::export(app.app.db(), Vec::new(), |_| ()).await.unwrap()
}

fn lines_of(export: &[u8]) -> Vec<String> {
    std::str::from_utf8(export).unwrap().lines().map(str::to_owned).collect()
}

fn quiet() -> Progress {
    Arc::new(|done, all| assert!(done <= all))
}

fn checked(export: &[u8]) -> Result<Checked> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(export).unwrap();
    Checked::new(file, &quiet())
}

async fn imported(app: &TestApp, export: &[u8]) -> Result<Contents> {
    moving::import(app.app.db(), checked(export)?, quiet()).await
}

/// Moves `old` into `new` and back into `last`.
async fn moves(old: TestApp, new: TestApp, last: TestApp) {
    let (old, buyer) = full(old).await;
    let (contents, export) = exported(&old).await;
    let text = std::str::from_utf8(&export).unwrap();
    for table in TABLES {
        let empty = format!("{{\"end_of\":\"{}\",\"rows\":0", table.name);
        assert!(!text.contains(&empty), "no row of {} was put to the test", table.name);
    }
    let between = |export: &[u8]| lines_of(export)[1..].split_last().map(|(_, rows)| rows.to_vec());
    let mut from = export.clone();
    for app in [&new, &last] {
        assert_eq!(imported(app, &from).await.unwrap(), contents);
        let (again, export_again) = exported(app).await;
        assert_eq!(again, contents);
        assert_eq!(between(&export_again), between(&export));
        from = export_again;
        app.verify().await;

        assert_eq!(app.get("/users/me", &buyer).await.expect(200).json()["username"], "buyer");
        for path in
            ["/services?q=logo", "/services?q=logo&sort=newest", "/services", "/services?tag=branding"]
        {
            assert_eq!(app.get(path, None).await.json(), old.get(path, None).await.json(), "{path}");
            assert_ne!(app.get(path, None).await.json()["data"], json!([]), "{path}");
        }
        for path in ["/orders?limit=100", "/notifications/me?limit=100", "/payments/transactions?limit=100"] {
            assert_eq!(app.get(path, &buyer).await.json(), old.get(path, &buyer).await.json(), "{path}");
        }
    }
    assert_eq!(last.log_in("seller").await.id, old.log_in("seller").await.id);
    let cast =
        json!({ "title": "Signs", "description": "A logo on wood.", "category": "x", "price": "5.00" });
    last.post("/services", &last.log_in("seller").await, cast).await.expect(201);
    let newest = last.get("/services?q=logo&sort=newest", None).await.json();
    assert_eq!(newest["data"][0]["title"], "Signs");
}

#[tokio::test]
async fn everything_moves_and_nothing_changes_on_the_way() {
    moves(TestApp::new().await, embedded().await, TestApp::new().await).await;
}

#[tokio::test]
async fn everything_moves_out_of_the_embedded_database_and_back() {
    moves(embedded().await, TestApp::new().await, embedded().await).await;
}

#[tokio::test]
async fn the_digest_is_that_of_the_contents_and_not_of_the_hour() {
    let (app, _) = full(TestApp::new().await).await;
    let (first, export) = exported(&app).await;
    app.app.db().clock().advance(std::time::Duration::from_secs(5));
    let (second, later) = exported(&app).await;
    assert_eq!(first, second);
    assert_ne!(export, later);
    app.write(|tx| tx.execute("update settings set value = $1 where name = $2", params!["x", "apple"])).await;
    assert_ne!(exported(&app).await.0, first);
}

#[tokio::test]
async fn a_byte_that_is_not_as_it_was_is_noticed_wherever_it_is() {
    let (_, export) = exported(&lived_in().await).await;
    let steps = (0..export.len()).step_by(export.len() / 150);
    let around_the_end = export.len() - 150..export.len();
    for place in (0..200).chain(steps).chain(around_the_end) {
        let mut damaged = export.clone();
        damaged[place] ^= 1;
        assert!(checked(&damaged).is_err(), "byte {place} of {}", export.len());
        let why = checked(&export[..place]).unwrap_err().to_string();
        assert!(why.contains("breaks off in line"), "cut at {place}: {why}");
    }
    checked(&export).unwrap();
}

/// The stream with these lines, its counts and digests made right again: what an export of other contents would be.
fn resealed(lines: &[String]) -> Vec<u8> {
    let (mut text, mut digest, mut rows, mut all) = (lines[0].clone() + "\n", Sha256::new(), 0, 0);
    let hex = |digest: &Sha256| {
        digest.clone().finalize().iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap();
            text
        })
    };
    for line in &lines[1..lines.len() - 1] {
        let mut line = line.clone();
        if line.starts_with('[') {
            rows += 1;
        } else if line.starts_with("{\"end_of\"") {
            let mut closing: Value = serde_json::from_str(&line).unwrap();
            closing["rows"] = rows.into();
            closing["sha256"] = hex(&digest).into();
            all += rows;
            rows = 0;
            line = closing.to_string();
        }
        line.push('\n');
        digest.update(&line);
        text.push_str(&line);
    }
    let mut last: Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    last["rows"] = all.into();
    last["header_sha256"] = hex(&Sha256::new().chain_update(&lines[0])).into();
    last["contents_sha256"] = hex(&digest).into();
    (text + &last.to_string() + "\n").into_bytes()
}

#[tokio::test]
async fn what_no_export_looks_like_is_refused_by_name() {
    let (_, export) = exported(&lived_in().await).await;
    let lines = lines_of(&export);
    assert_eq!(resealed(&lines), export);
    let place = |start: &str| lines.iter().position(|line| line.starts_with(start)).unwrap();
    let with_header = |from: &str, to: &str| {
        let mut lines = lines.clone();
        assert!(lines[0].contains(from), "{}", lines[0]);
        lines[0] = lines[0].replace(from, to);
        resealed(&lines)
    };
    let without = |place: usize| {
        let mut lines = lines.clone();
        lines.remove(place);
        resealed(&lines)
    };
    let swapped = |one: usize, other: usize| {
        let mut lines = lines.clone();
        lines.swap(one, other);
        lines
    };
    let (user, timers) = (place("{\"table\":\"users\"") + 1, place("{\"table\":\"timers\""));
    let followed = [export.as_slice(), b"\n"].concat();
    let twice = [export.as_slice(), export.as_slice()].concat();
    let unsealed = (swapped(user, user + 1).join("\n") + "\n").into_bytes();
    let mut of_another_kind = lines.clone();
    of_another_kind[user] = lines[user].replacen("null", "7", 1).replacen("\"active\"", "8", 1);
    let newest = MIGRATIONS.last().unwrap().name;
    let refusals = [
        (b"Dear guild,\n".to_vec(), "no export of a guildhall"),
        (b"{}\n".to_vec(), "no export of a guildhall"),
        (vec![0x28, 0xb5, 0x2f, 0xfd, 0x0a], "decompress it"),
        (Vec::new(), "breaks off in line 1"),
        (with_header("\"format_version\":1", "\"format_version\":2"), "reads 1: import it with guildhall"),
        (with_header(&format!(",\"{newest}\""), ""), "then run `guildhall migrate`"),
        (with_header(newest, "0008_tea"), "ends with 0008_tea, which this program does not know"),
        (followed, "something follows its end"),
        (twice, "something follows its end"),
        (unsealed, "the rows of users are not those that were exported"),
        (resealed(&swapped(timers, user - 1)), "the table timers does not begin here"),
        (without(timers), "the table timers does not begin here"),
        (resealed(&of_another_kind), "users.status holds no text"),
    ];
    for (export, why) in refusals {
        let refused = checked(&export).unwrap_err().to_string();
        assert!(refused.contains(why), "{refused}\nwhere this was expected: {why}");
    }
}

#[tokio::test]
async fn what_the_tables_refuse_moves_not_even_in_part() {
    let (_, export) = exported(&lived_in().await).await;
    let mut lines = lines_of(&export);
    let users = lines.iter().position(|line| line.starts_with("{\"table\":\"users\"")).unwrap();
    lines.remove(users + 1);
    let new = TestApp::new().await;
    let refused = imported(&new, &resealed(&lines)).await.unwrap_err().to_string();
    assert!(refused.contains("cannot be written, so nothing was imported"), "{refused}");
    assert_eq!(exported(&new).await.0.rows, 0);
}

#[tokio::test]
async fn nothing_moves_in_where_somebody_lives() {
    let (_, export) = exported(&lived_in().await).await;
    let taken = TestApp::new().await;
    taken.stranger().await;
    let (before, _) = exported(&taken).await;
    let refused = imported(&taken, &export).await.unwrap_err().to_string();
    assert!(refused.contains("there are rows in events, users, sessions, access_tokens"), "{refused}");
    assert_eq!(exported(&taken).await.0, before);
}

#[tokio::test]
async fn an_export_that_changes_while_it_is_read_is_refused() {
    let (_, export) = exported(&lived_in().await).await;
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&export).unwrap();
    let checked = Checked::new(file.try_clone().unwrap(), &quiet()).unwrap();
    let new = TestApp::new().await;
    let (other, other_export) = exported(&new).await;
    assert_ne!(&other, checked.contents());
    file.set_len(0).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    file.write_all(&other_export).unwrap();
    let refused = moving::import(new.app.db(), checked, quiet()).await.unwrap_err().to_string();
    assert!(refused.contains("changed while it was read"), "{refused}");
    assert_eq!(exported(&new).await.0, other);
}

/// Each column that is stored: its table, its name, its type, whether it is part of the primary key, and how text in it is
/// ordered where that is a matter of the schema.
fn columns(tx: &Tx, embedded: bool) -> Result<Vec<(String, String, String)>> {
    let sql = match embedded {
        true => {
            "select t.name, c.name, lower(c.type) || case when c.pk > 0 then ' key' else '' end
             from sqlite_schema t join pragma_table_info(t.name) c
             where t.type = 'table' and t.name not like 'sqlite_%' and t.name not like 'service_search_%'"
        }
        false => {
            "select cast(c.table_name as text), cast(c.column_name as text),
                 c.data_type || case when i.indrelid is null then '' when c.data_type <> 'text' then ' key'
                     else ' key by ' || coalesce(c.collation_name, 'locale') end
             from information_schema.columns c
             join pg_attribute a on a.attrelid = cast(c.table_name as regclass) and a.attname = c.column_name
             left join pg_index i on i.indrelid = a.attrelid and i.indisprimary and a.attnum = any (i.indkey)
             where c.table_schema = 'public' and c.is_generated = 'NEVER'"
        }
    };
    tx.all(sql, params![], |row| Ok((row.next()?, row.next()?, row.next()?)))
}

/// How an engine stores a column of a kind.
fn stored_as(kind: Kind, key: bool, embedded: bool) -> String {
    let (stored, served) = match kind {
        Kind::Id => ("blob", "uuid"),
        Kind::Bytes => ("blob", "bytea"),
        Kind::Time => ("integer", "timestamp with time zone"),
        Kind::Integer => ("integer", "bigint"),
        Kind::Boolean => ("integer", "boolean"),
        Kind::Text => ("text", "text"),
        Kind::Json => ("text", "jsonb"),
    };
    match (embedded, key, kind) {
        (true, true, _) => format!("{stored} key"),
        (true, false, _) => stored.to_owned(),
        (false, true, Kind::Text) => format!("{served} key by C"),
        (false, true, _) => format!("{served} key"),
        (false, false, _) => served.to_owned(),
    }
}

#[tokio::test]
async fn every_column_of_the_schema_moves_or_is_said_to_stay() {
    let app = TestApp::new().await;
    let embedded = app.app.db().is_exclusive();
    let columns = app.app.db().read(move |tx| columns(tx, embedded)).await.unwrap();
    let stays = |table: &str, column: &str| {
        let column = format!("{table}.{column}");
        STAYS.iter().any(|(what, _)| *what == table || *what == column)
    };
    let stored: BTreeSet<String> = columns
        .iter()
        .filter(|(table, column, _)| !stays(table, column))
        .map(|(table, column, kind)| format!("{table}.{column} {kind}"))
        .collect();
    let mut moves = BTreeSet::new();
    for table in TABLES {
        for (place, (column, kind)) in table.columns.iter().enumerate() {
            // The embedded engine's key of listings is the number that stays behind.
            let key = place < table.key && !(embedded && table.name == "services");
            moves.insert(format!("{}.{column} {}", table.name, stored_as(*kind, key, embedded)));
        }
    }
    let odd: Vec<&String> = stored.symmetric_difference(&moves).collect();
    assert!(odd.is_empty(), "in the schema or in the manifest, not in both: {odd:#?}");
    let of_the_other = if embedded { "commits" } else { "services.search_key" };
    for (what, _) in STAYS {
        let (table, column) = what.split_once('.').unwrap_or((what, ""));
        let there = columns.iter().any(|(t, c, _)| t == table && (column.is_empty() || c == column));
        assert_eq!(there, *what != of_the_other, "{what} stays");
    }
}

#[test]
fn the_program_exports_while_it_serves_and_imports_from_a_pipe() {
    let (first, second, third) = (Program::new(), Program::new(), Program::new());
    first.make_administrator();
    let file = first.dir().join("moving.jsonl").to_str().unwrap().to_owned();
    let server = first.serve(&[]);
    let ended = first.run(&["export", &file]).expect(0);
    let digest = ended.stdout.split_whitespace().find(|word| word.len() == 64).unwrap().to_owned();
    let again = first.run(&["export", &file]).expect(1);
    assert!(again.stderr.contains("exports are never overwritten"), "{}", again.stderr);
    assert!(!first.dir().join("moving.jsonl.partial").exists());
    drop(server);

    let into = second.run(&["import", &file]).expect(0);
    assert!(into.stdout.contains(&digest), "{}", into.stdout);
    assert!(into.stdout.contains("ok      9 "), "{}", into.stdout);
    let taken = second.run(&["import", &file]).expect(1);
    assert!(taken.stderr.contains("the database is not empty"), "{}", taken.stderr);

    let piped = second.run(&["export", "-"]).expect(0);
    assert!(piped.stderr.contains(&digest), "{}", piped.stderr);
    third.run_with(&["import", "-"], &piped.stdout).expect(0);
    let data = std::fs::read_dir(third.dir().join("guildhall-data")).into_iter().flatten();
    assert_eq!(data.filter(|file| format!("{file:?}").contains("import")).count(), 0);
    let server = third.serve(&[]);
    let body = json!({ "username": "keeper", "password": PASSWORD });
    assert_eq!(server.post("/users/login", None, &body).expect(200).json()["user"]["role"], "admin");
}

#[test]
fn a_backup_fills_another_database() {
    let (first, second) = (Program::new(), Program::new());
    first.make_administrator();
    let file = first.dir().join("backup").to_str().unwrap().to_owned();
    first.run(&["backup", &file]).expect(0);
    first.run(&["backup", &file]).expect(1);
    second.run(&["restore", &file]).expect(0);
    second.run(&["verify"]).expect(0);
    second.serve(&[]).log_in("keeper");
    second.run(&["restore", &file]).expect(1);
}

#[test]
fn a_damaged_export_leaves_no_database_behind() {
    let program = Program::embedded();
    program.make_administrator();
    program.run(&["export", "whole.jsonl"]).expect(0);
    let whole = std::fs::read_to_string(program.dir().join("whole.jsonl")).unwrap();
    std::fs::write(program.dir().join("damaged.jsonl"), whole.replace("keeper", "kepper")).unwrap();
    std::fs::write(program.dir().join("cut.jsonl"), &whole[..whole.len() / 2]).unwrap();
    let refusals = [
        ("damaged.jsonl", "are not those that were exported"),
        ("cut.jsonl", "breaks off"),
        ("none", "cannot read"),
    ];
    for (file, why) in refusals {
        let ended = program.run(&["import", file, "--data-dir", "fresh"]).expect(1);
        assert!(ended.stderr.contains(why), "{}", ended.stderr);
        assert!(!program.dir().join("fresh/guildhall.db").exists(), "{file}");
    }
    let cut = &whole[..whole.len() - 1];
    let piped = program.run_with(&["import", "-", "--data-dir", "fresh"], cut).expect(1);
    assert!(piped.stderr.contains("what is piped cannot be imported"), "{}", piped.stderr);
    assert!(!program.dir().join("fresh/guildhall.db").exists());
    program.run(&["export", "absent.jsonl", "--data-dir", "nowhere"]).expect(1);
    assert!(!program.dir().join("nowhere").exists() && !program.dir().join("absent.jsonl").exists());

    let _server = program.serve(&[]);
    let busy = program.run(&["import", "whole.jsonl"]).expect(1);
    assert!(busy.stderr.contains("in use by another guildhall"), "{}", busy.stderr);
}
