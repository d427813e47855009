//! The program: its settings, its commands, and how it starts and stops.

use std::io::{BufRead, BufReader, Write};

use serde_json::json;

use crate::support::{PASSWORD, Program, read_answer};

#[test]
fn a_flag_beats_the_environment_which_beats_the_file() {
    let program = Program::new();
    std::fs::write(
        program.dir().join("guildhall.toml"),
        "currency = 'EUR'\nfee_percent = 7.5\nlog = 'warn'\n",
    )
    .unwrap();
    let output = program
        .command(&["doctor", "--currency", "CHF", "--listen", "127.0.0.1:0"])
        .env("GUILDHALL_CURRENCY", "JPY")
        .env("GUILDHALL_LOG", "info")
        .output()
        .unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    let setting = |key: &str| {
        let line = shown.lines().find(|line| line.trim_start().starts_with(key)).unwrap();
        line.split_whitespace().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(setting("currency "), ["flag", "CHF"]);
    assert_eq!(setting("log "), ["GUILDHALL_LOG", "info"]);
    assert_eq!(setting("fee_percent "), ["file", "7.5"]);
    assert_eq!(setting("pay_within_hours "), ["default", "24"]);
}

#[test]
fn an_unknown_key_is_wrong_usage_and_names_the_near_one() {
    let program = Program::new();
    std::fs::write(program.dir().join("other.toml"), "listne = '127.0.0.1:0'\n").unwrap();
    let ended = program.run(&["serve", "--config", "other.toml"]).expect(2);
    assert!(ended.stderr.contains("unknown key `listne`: did you mean `listen`?"), "{}", ended.stderr);
    assert!(!program.dir().join("guildhall-data").exists());
}

#[test]
fn a_wrong_value_is_wrong_usage_and_says_the_mend() {
    let program = Program::new();
    let ended = program.run(&["--listen", "8080", "--database-url", "mysql://db/guildhall"]).expect(2);
    assert!(ended.stderr.contains("--listen 8080"), "{}", ended.stderr);
    assert!(ended.stderr.contains("such as 127.0.0.1:8080"), "{}", ended.stderr);
    assert!(ended.stderr.contains("write postgres://USER"), "{}", ended.stderr);
}

#[test]
fn sigterm_lets_a_running_request_finish_and_exits_0() {
    let program = Program::new();
    let mut server = program.serve(&[]);
    let body = json!({ "username": "ada", "email": "ada@example.com", "password": PASSWORD }).to_string();
    let mut stream = server.connect();
    let head = format!(
        "POST /users/register HTTP/1.1\r\nhost: test\r\nexpect: 100-continue\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // The server asks for the body once a handler reads it: from here on the request is running.
    let mut lines = BufReader::new(stream.try_clone().unwrap());
    let (mut asked, mut empty) = (String::new(), String::new());
    lines.read_line(&mut asked).unwrap();
    lines.read_line(&mut empty).unwrap();
    assert!(asked.starts_with("HTTP/1.1 100"), "{asked}");

    server.terminate();
    server.logged("draining");
    stream.write_all(body.as_bytes()).unwrap();
    read_answer(stream).expect(201);
    assert_eq!(server.ended(), 0);
}

#[test]
fn a_server_that_stops_in_order_leaves_no_log_for_the_next_to_read() {
    let program = Program::embedded();
    let server = program.serve(&[]);
    let log = program.dir().join("guildhall-data/guildhall.db-wal");
    assert!(std::fs::metadata(&log).unwrap().len() > 0);
    server.terminate();
    assert_eq!(server.ended(), 0);
    assert_eq!(std::fs::metadata(&log).map_or(0, |log| log.len()), 0);
}

#[test]
fn ready_says_whether_the_one_that_serves_here_is() {
    let program = Program::new();
    let server = program.serve(&[]);
    let said = program.run(&["ready", "--listen", &server.address]).expect(0);
    assert!(said.stdout.starts_with("{\"ready\":true"), "{}", said.stdout);
    server.terminate();
    let address = server.address.clone();
    assert_eq!(server.ended(), 0);
    let said = program.run(&["ready", "--listen", &address]).expect(1);
    assert!(said.stderr.contains(&format!("{address} does not answer")), "{}", said.stderr);
}

#[test]
fn openapi_prints_what_is_served() {
    let program = Program::new();
    let server = program.serve(&[]);
    let printed = program.run(&["openapi", "--listen", &server.address]).expect(0).stdout;
    assert_eq!(printed.trim_end(), server.get("/openapi.json").expect(200).body.trim_end());
}

#[test]
fn doctor_fails_only_when_something_must_be_mended() {
    let program = Program::new();
    program.run(&["doctor", "--listen", "127.0.0.1:0"]).expect(0);
    assert!(!program.dir().join("guildhall-data").exists());
    let warned = program.run(&["doctor", "--listen", "0.0.0.0:0"]).expect(0);
    assert!(warned.stdout.contains("warn  the sandbox payment provider is open"), "{}", warned.stdout);
    let failed =
        program.run(&["doctor", "--listen", "127.0.0.1:0", "--trusted-proxies", "0.0.0.0/0"]).expect(1);
    assert!(failed.stdout.contains("FAIL  trusted_proxies holds every address"), "{}", failed.stdout);
    let mistaken = program.run(&["doctor", "--listen", "nowhere"]).expect(1);
    assert!(mistaken.stdout.contains("FAIL  `--listen nowhere` is not usable"), "{}", mistaken.stdout);
}

#[test]
fn an_administrator_made_beside_serve_logs_in() {
    let program = Program::new();
    let server = program.serve(&[]);
    assert_eq!(server.listening["has_administrator"], json!(false));
    program.make_administrator();
    let token = server.log_in("keeper");
    let account =
        server.post("/users/login", None, &json!({ "email": "keeper@example.com", "password": PASSWORD }));
    assert_eq!(account.expect(200).json()["user"]["role"], "admin");

    let reset = ["admin", "reset-password", "--email", "Keeper@example.com", "--password-stdin"];
    program.run_with(&reset, "another quiet lantern\n").expect(0);
    let body = json!({ "username": "keeper", "password": "another quiet lantern" });
    server.post("/users/login", None, &body).expect(200);
    server.post("/users/login", None, &json!({ "username": "keeper", "password": PASSWORD })).expect(401);
    assert_eq!(server.post("/test/clock", Some(&token), &json!({})).status, 404);
}

#[test]
fn a_password_that_would_soon_be_guessed_opens_no_account() {
    let program = Program::new();
    let create =
        ["admin", "create", "--username", "keeper", "--email", "keeper@example.com", "--password-stdin"];
    let ended = program.run_with(&create, "password1\n").expect(1);
    assert!(ended.stderr.contains("three unrelated words"), "{}", ended.stderr);
    program.run_with(&create[..create.len() - 1], PASSWORD).expect(2);
    let unknown = ["admin", "reset-password", "--username", "keeper", "--password-stdin"];
    let ended = program.run_with(&unknown, PASSWORD).expect(1);
    assert!(ended.stderr.contains("no account is called keeper"), "{}", ended.stderr);
}

#[test]
fn no_migrate_waits_for_the_operator() {
    let program = Program::new();
    let ended = program.run(&["serve", "--no-migrate", "--listen", "127.0.0.1:0"]).expect(1);
    assert!(ended.stderr.contains("run `guildhall migrate`"), "{}", ended.stderr);
    program.run(&["migrate"]).expect(0);
    program.serve(&["--no-migrate"]).get("/readyz").expect(200);
}

#[test]
fn a_process_serves_the_services_it_is_told_to() {
    let program = Program::new();
    let server = program.serve(&["--services", "profiles,orders"]);
    let body = json!({ "username": "keeper", "password": PASSWORD });
    let answered = server.post("/users/login", None, &body).expect(404);
    assert!(answered.json()["detail"].as_str().unwrap().contains("does not serve this operation"));
}

#[test]
fn metrics_count_requests_and_have_an_address_of_their_own() {
    let program = Program::new();
    let server = program.serve(&[]);
    server.get("/livez").expect(200);
    let text = server.get("/metrics").expect(200).body;
    assert!(text.contains(r#"http_requests_total{method="GET",route="/livez",status="200"} 1"#), "{text}");
    assert!(text.contains(r#"http_request_seconds_bucket{route="/livez",le="0.005"}"#), "{text}");
    assert!(text.contains("# HELP http_request_seconds From a request's head"), "{text}");
    assert!(text.lines().any(|line| line == "panics_total 0"), "an increase is seen from zero on: {text}");
    drop(server);

    let mut server = program.serve(&["--metrics-listen", "127.0.0.1:0"]);
    server.get("/metrics").expect(404);
    server.address =
        server.listening["metrics"].as_str().unwrap().replace("http://", "").replace("/metrics", "");
    server.get("/metrics").expect(200);
    server.get("/users/me").expect(404);
}

#[test]
fn the_test_clock_stays_where_it_was_moved() {
    let program = Program::new();
    program.make_administrator();
    let day = json!({ "advance_s": 86_400 });
    let now = |answered: crate::support::Answered| {
        guildhall::time::Time::parse(answered.expect(200).json()["now"].as_str().unwrap()).unwrap()
    };
    let server = program.serve(&["--test-clock"]);
    let ada = json!({ "username": "ada", "email": "ada@example.com", "password": PASSWORD });
    server.post("/users/register", None, &ada).expect(201);
    server.post("/test/clock", None, &day).expect(401);
    server.post("/test/clock", Some(&server.log_in("ada")), &day).expect(403);
    let keeper = server.log_in("keeper");
    server.post("/test/clock", Some(&keeper), &json!({ "advance_s": 0 })).expect(422);
    let first = now(server.post("/test/clock", Some(&keeper), &day));
    assert!(server.get("/openapi.json").body.contains("advanceClock"));
    drop(server);

    let server = program.serve(&["--test-clock"]);
    let second = now(server.post("/test/clock", Some(&server.log_in("keeper")), &json!({ "advance_s": 60 })));
    assert!(second.since(first).as_secs() >= 60, "{first} {second}");
    drop(server);

    let server = program.serve(&[]);
    server.post("/test/clock", Some(&server.log_in("keeper")), &day).expect(404);
    assert!(!server.get("/openapi.json").body.contains("advanceClock"));
}

#[test]
fn what_becomes_due_by_the_test_clock_has_happened_when_it_answers() {
    let program = Program::new();
    program.make_administrator();
    let server = program.serve(&["--test-clock"]);
    for (name, role) in [("buyer", "buyer"), ("seller", "freelancer")] {
        let email = format!("{name}@example.com");
        let body = json!({ "username": name, "email": email, "password": PASSWORD, "role": role });
        server.post("/users/register", None, &body).expect(201);
    }
    let listing =
        json!({ "title": "A logo", "description": "Drawn.", "category": "design", "price": "40.00" });
    let listing = server.post("/services", Some(&server.log_in("seller")), &listing).expect(201).json();
    let buyer = server.log_in("buyer");
    let order =
        server.post("/orders", Some(&buyer), &json!({ "service_id": listing["id"] })).expect(201).json();
    assert_eq!(order["status"], "pending");

    let past_pay_by = json!({ "advance_s": 86_401 });
    server.post("/test/clock", Some(&server.log_in("keeper")), &past_pay_by).expect(200);
    let path = format!("/orders/{}", order["id"].as_str().unwrap());
    let token = server.log_in("buyer");
    assert_eq!(server.get_as(&path, &token).expect(200).json()["status"], "cancelled");
}

#[test]
fn a_key_for_stripe_does_not_open_a_database_that_was_paid_with_play_money() {
    let program = Program::embedded();
    program.run(&["demo"]).expect(0);
    for key in ["sk_live_x", "sk_test_x"] {
        let stripe = ["--provider", "stripe", "--stripe-secret-key", key, "--listen", "127.0.0.1:0"];
        let refused = program.run(&[&["serve"][..], &stripe].concat()).expect(1);
        assert!(refused.stderr.contains("play money"), "{}", refused.stderr);
        let said = program.run(&[&["doctor"][..], &stripe].concat()).expect(1);
        assert!(
            said.stdout.contains("FAIL  orders in this database were paid with the sandbox"),
            "{}",
            said.stdout
        );
        program.run(&[&["doctor"][..], &stripe, &["--allow-sandbox"]].concat()).expect(0);
    }
}

#[test]
fn a_key_that_nobody_paid_with_does_not_mark_the_database() {
    let program = Program::new();
    let nowhere = ["--provider", "stripe", "--stripe-url", "http://127.0.0.1:9", "--stripe-secret-key"];
    program.serve(&[&nowhere[..], &["sk_live_x"]].concat());
    let other = [&nowhere[..], &["sk_test_x"]].concat();
    program.run(&[&["doctor", "--listen", "127.0.0.1:0"][..], &other].concat()).expect(0);
    program.serve(&other);
}

#[test]
fn play_money_does_not_come_into_a_database_that_was_paid_through_stripe() {
    let program = Program::embedded();
    program.run(&["migrate"]).expect(0);
    let file = program.dir().join("guildhall-data/guildhall.db");
    let paid = "insert into settings (name, value) values ('stripe_money', 'live')";
    rusqlite::Connection::open(file).unwrap().execute(paid, []).unwrap();
    for command in [&["serve", "--listen", "127.0.0.1:0"][..], &["reconcile"]] {
        let refused = program.run(command).expect(1);
        assert!(refused.stderr.contains("the provider is the sandbox"), "{}", refused.stderr);
        assert!(refused.stderr.contains("set provider to stripe"), "{}", refused.stderr);
    }
    let said = program.run(&["doctor", "--listen", "127.0.0.1:0"]).expect(1);
    assert!(said.stdout.contains("with Stripe's live money"), "{}", said.stdout);
    program.run(&["reconcile", "--allow-sandbox"]).expect(0);
}

#[test]
fn a_log_that_nobody_reads_any_more_loses_lines_and_not_the_server() {
    for format in ["json", "human"] {
        let program = Program::new();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let arguments = ["serve", "--listen", &port.to_string(), "--log-format", format, "--log", "debug"];
        let mut child = program.command(&arguments).stderr(std::process::Stdio::piped()).spawn().unwrap();
        drop(child.stderr.take());
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        let answered = loop {
            assert_eq!(child.try_wait().unwrap(), None, "it ended with its log");
            assert!(std::time::Instant::now() < deadline, "it never listened");
            if let Ok(mut stream) = std::net::TcpStream::connect(port) {
                stream.write_all(b"GET /livez HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").unwrap();
                break read_answer(stream);
            }
            std::thread::yield_now();
        };
        answered.expect(200);
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
