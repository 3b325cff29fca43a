//! `sotto ring`: classes on this machine, in one process and in many.

use std::{fs, path::Path, process::Command};

use serde_json::Value;

use super::process::{Outcome, Process, Signal, sotto, typed, wait_until};

/// What the shipped class has on average.
const AVERAGE: f64 = 73.31;

fn run(dir: &Path, arguments: &[&str]) -> Outcome {
    Process::start(sotto(dir).args(["ring", "run"]).args(arguments)).wait()
}

fn list<'a>(value: &'a Value, name: &str) -> &'a Vec<Value> {
    value[name].as_array().unwrap()
}

fn number(value: &Value) -> u64 {
    value.as_str().unwrap().parse().unwrap()
}

#[test]
fn the_shipped_class_has_its_average_by_every_protocol_and_nobody_knows_more() {
    let dir = tempfile::tempdir().unwrap();
    for (protocol, messages, rings) in [("ring", 20, 1), ("rings", 200, 10), ("shares", 380, 0)] {
        let round = run(dir.path(), &["--json", "--protocol", protocol]).json();
        assert_eq!(round["average"], AVERAGE, "{protocol}");
        assert_eq!(round["total"], 1466.2);
        assert_eq!(round["finding"], Value::Null);
        assert_eq!(list(&round, "messages").len(), messages);
        assert_eq!(list(&round, "rings").len(), rings);
        let knows = list(&round, "knows");
        assert_eq!(knows.len(), 20);
        let (values, others): (f64, f64) = knows.iter().fold((0.0, 0.0), |(own, rest), pupil| {
            (own + pupil["value"].as_f64().unwrap(), rest + pupil["others_total"].as_f64().unwrap())
        });
        assert!((values - 1466.2).abs() < 1e-6 && (others - 19.0 * 1466.2).abs() < 1e-6);
        for list_of in ["received", "sent"] {
            let all: usize = knows.iter().map(|pupil| list(pupil, list_of).len()).sum();
            assert_eq!(all, messages, "{protocol} {list_of}");
        }
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn the_messages_of_one_ring_differ_by_the_grades_and_begin_at_a_mask() {
    let dir = tempfile::tempdir().unwrap();
    let rounds = [(); 2].map(|()| run(dir.path(), &["--json"]).json());
    let sent: Vec<Vec<u64>> = rounds
        .iter()
        .map(|round| list(round, "messages").iter().map(|sent| number(&sent["value"])).collect())
        .collect();
    let knows = list(&rounds[0], "knows");
    for place in 1..20 {
        let added = sent[0][place].wrapping_sub(sent[0][place - 1]);
        let grade = (knows[place]["value"].as_f64().unwrap() * 10.0).round() as u64;
        assert_eq!(added, grade);
    }
    assert_ne!(sent[0][0], sent[1][0], "another mask in every round");
}

#[test]
fn neighbours_recover_a_grade_exactly_and_the_repairs_leave_every_value_open() {
    let dir = tempfile::tempdir().unwrap();
    let attack = |arguments: &[&str]| {
        let mut all = vec!["--json", "--collude", "P3,P5"];
        all.extend(arguments);
        run(dir.path(), &all).json()["finding"].clone()
    };
    let finding = attack(&[]);
    assert_eq!(finding["succeeded"], true);
    assert_eq!(finding["colluders"], serde_json::json!(["P3", "P5"]));
    assert_eq!(finding["exact"][0]["pupil"], "P4");
    assert_eq!(finding["exact"][0]["value"], 63.5);
    for protocol in ["rings", "shares"] {
        let finding = attack(&["--protocol", protocol]);
        assert_eq!(finding["succeeded"], false, "{protocol}");
        assert!(list(&finding, "exact").is_empty(), "{protocol}");
        let open = list(&finding, "open").iter().find(|open| open["pupil"] == "P4").unwrap();
        assert_eq!(open["values"], 1001, "{protocol}: every grade from 0.0 to 100.0");
    }
}

#[test]
fn every_message_waits_for_enter() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = sotto(dir.path());
    let mut class = Process::start(typed(command.args(["ring", "run", "--step"])));
    for message in 0..20 {
        wait_until("the next question", || class.stderr().matches("Enter: ").count() > message);
        // Two streams are read: the row may be read after the question that follows it.
        wait_until("the rows so far", || class.stdout().matches("→").count() >= message);
        assert_eq!(class.stdout().matches("→").count(), message, "nothing before its step");
        class.types("");
    }
    let outcome = class.wait().ok();
    assert!(outcome.stdout.contains("average of 20 pupils: 73.3100"), "{}", outcome.stdout);
}

#[test]
fn without_anybody_to_press_enter_the_round_stops() {
    let dir = tempfile::tempdir().unwrap();
    let outcome = run(dir.path(), &["--step"]);
    assert_eq!(outcome.code, Some(6), "{}", outcome.stderr);
    assert!(!outcome.stdout.contains('→'), "{}", outcome.stdout);
}

#[test]
fn values_that_no_pupil_can_have_are_refused_before_anything_begins() {
    let dir = tempfile::tempdir().unwrap();
    let write = |text: &str| fs::write(dir.path().join("grades.csv"), text).unwrap();
    let refused = |part: &str| {
        let outcome = run(dir.path(), &["--values", "grades.csv"]);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(3), ""), "{}", outcome.stderr);
        assert!(outcome.stderr.contains(part), "{part}: {}", outcome.stderr);
    };
    write("pupil,grade\nA,1\nB,2\nC,3\nD,203\n");
    refused("grades.csv:5: grade = 203 is not between 0.0 and 100.0");
    write("pupil,grade\nA,-1\nB,2\nC,3.14\nD,4\n");
    refused("grades.csv:2: grade = -1 is not between");
    refused("grades.csv:4: grade = 3.14 has more than 1 decimals");
    write("pupil,grade\nA,1\nB,2\n");
    refused("2 pupils cannot play: it takes 3 to 100");
    fs::remove_file(dir.path().join("grades.csv")).unwrap();
    refused("there is no such file");
}

#[test]
fn a_class_of_one_s_own_with_its_scale_is_played() {
    let dir = tempfile::tempdir().unwrap();
    let text = "mark,who\n-1.25,Anna\n2,Ben\n0.5,Cem\n";
    fs::write(dir.path().join("class.csv"), text).unwrap();
    let scale = ["--min", "-2", "--max", "2", "--decimals", "2", "--json"];
    let round = run(dir.path(), &[&["--values", "class.csv"][..], &scale].concat()).json();
    assert_eq!(round["total"], 1.25);
    assert_eq!(round["pupils"][1], serde_json::json!({"pupil": "P2", "name": "Ben"}));
}

#[test]
fn names_that_are_none_of_the_class_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let all: Vec<String> = (1..=20).map(|pupil| format!("P{pupil}")).collect();
    for (arguments, part) in [
        (["--collude", "P99"], "P1 to P20"),
        (["--collude", "P3,P3"], "twice"),
        (["--collude", "Anna"], "is no pupil"),
        (["--collude", &all.join(",")], "all 20 pupils"),
        (["--misbehave", "P21=lies"], "P1 to P20"),
        (["--misbehave", "P4=sleeps"], "drops, silent, twice, garbage, lies"),
        (["--protocol", "circle"], "`ring`, `rings` or `shares`"),
    ] {
        let outcome = run(dir.path(), &arguments);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(outcome.stderr.contains(part), "{part}: {}", outcome.stderr);
    }
}

#[test]
fn who_breaks_the_rules_is_named_and_the_class_plays_again_without_it() {
    let dir = tempfile::tempdir().unwrap();
    for (way, sentence) in [
        ("drops", "P4 left before the round was over"),
        ("twice", "P4 answered twice"),
        ("garbage", "P4 sent something that is not a number of this round"),
        ("lies", "P4 accused P3 of something that P3 did not do"),
        ("silent", "nothing came from P4"),
    ] {
        let breach = format!("P4={way}");
        let arguments = ["ring", "run", "--json", "--silence", "2", "--misbehave", &breach];
        let mut command = sotto(dir.path());
        let mut class = Process::start(typed(command.args(arguments)));
        wait_until("the question", || class.stderr().contains("Play again without P4?"));
        assert!(class.stderr().contains(sentence), "{}", class.stderr());
        class.types("y");
        let round = class.wait().json();
        assert_eq!(list(&round, "pupils").len(), 19);
        assert_eq!(round["total"], 1402.7);
        assert_eq!(round["stopped"][0]["suspects"], serde_json::json!(["P4"]));

        // Nobody is there to answer.
        let outcome = Process::start(command.stdin(std::process::Stdio::null())).wait();
        assert_eq!(outcome.code, Some(6), "{}", outcome.stderr);
        outcome.says(&[sentence]);
        let ended: Value = serde_json::from_str(&outcome.stdout).unwrap();
        assert_eq!(ended["stopped"]["suspects"], serde_json::json!(["P4"]));
    }
}

/// A host on loopback, and the code that it shows.
fn host(dir: &Path, arguments: &[&str]) -> (Process, String) {
    host_of(sotto(dir), arguments)
}

fn host_of(mut sotto: Command, arguments: &[&str]) -> (Process, String) {
    let command = sotto.args(["ring", "host", "--listen", "127.0.0.1:0"]).args(arguments);
    let host = Process::start(typed(command));
    wait_until("the code", || host.stdout().contains("sotto ring join "));
    let shown = host.stdout();
    let code = shown.split("sotto ring join ").nth(1).unwrap();
    let end = code.find(['\n', '"']).unwrap();
    (host, code[..end].to_owned())
}

/// A pupil that types its value.
fn join(dir: &Path, code: &str, name: &str, value: &str, arguments: &[&str]) -> Process {
    join_of(sotto(dir), code, name, value, arguments)
}

fn join_of(mut sotto: Command, code: &str, name: &str, value: &str, arguments: &[&str]) -> Process {
    let command = sotto.args(["ring", "join", code, "--name", name]).args(arguments);
    let mut pupil = Process::start(typed(command));
    wait_until("the question", || pupil.stderr().contains("your value, from"));
    pupil.types(value);
    pupil
}

fn ready(host: &Process, pupils: usize) {
    wait_until("the pupils", || host.stderr().matches("is ready").count() >= pupils);
}

#[test]
fn three_pupils_join_a_host_by_its_code_and_learn_their_average() {
    let dir = tempfile::tempdir().unwrap();
    for protocol in ["ring", "rings", "shares"] {
        let arguments = ["--pupils", "3", "--protocol", protocol, "--json"];
        let (host, code) = host(dir.path(), &arguments);
        let values = ["10", "20.5", "60"];
        let pupils = values.map(|value| join(dir.path(), &code, "", value, &["--json"]));
        let outcome = host.wait().ok();
        let lines: Vec<Value> =
            outcome.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines[0]["code"], code.as_str());
        assert_eq!((&lines[1]["total"], &lines[1]["protocol"]), (&90.5.into(), &protocol.into()));
        for (pupil, others) in pupils.into_iter().zip([80.5, 70.0, 30.5]) {
            let outcome = pupil.wait();
            assert!(outcome.stderr.contains("the class has ended"), "{}", outcome.stderr);
            let known = outcome.json();
            assert_eq!(known["others_total"], others);
            // The host has written nothing that a pupil received.
            for received in list(&known, "received") {
                let value = received["value"].as_str().unwrap();
                assert!(!lines.iter().any(|line| line.to_string().contains(value)));
            }
        }
    }
}

#[test]
fn at_the_most_talkative_level_no_log_holds_a_value_or_a_number_that_was_passed() {
    let dir = tempfile::tempdir().unwrap();
    for protocol in ["ring", "rings", "shares"] {
        // No numbers of this size occur by accident.
        let scale = ["--min", "31415000", "--max", "31515000", "--decimals", "0"];
        let round = ["--pupils", "3", "--protocol", protocol, "--json"];
        let talkative = || {
            let mut command = sotto(dir.path());
            command.env("SOTTO_LOG", "trace");
            command
        };
        let (host, code) = host_of(talkative(), &[&scale[..], &round].concat());
        let values = ["31415927", "31427183", "31416180"];
        let pupils = values.map(|value| join_of(talkative(), &code, "", value, &["--json"]));
        let host = host.wait().ok();
        let mut secrets: Vec<_> = values.map(str::to_owned).into();
        let mut logs = vec![host.stderr, host.stdout];
        for pupil in pupils {
            let pupil = pupil.wait();
            logs.push(pupil.stderr.clone());
            let known = pupil.json();
            let received = list(&known, "received").iter();
            secrets.extend(received.map(|number| number["value"].as_str().unwrap().to_owned()));
        }
        assert!(secrets.len() > values.len() && secrets.iter().all(|secret| secret.len() > 6));
        assert!(logs[0].contains("TRACE") && logs[2].contains("TRACE"), "{}", logs[2]);
        for secret in secrets {
            let number: u64 = secret.parse().unwrap();
            let spelled = [secret, format!("{number:x}"), format!("{number:X}")];
            let is_said = |log: &String| spelled.iter().any(|spelled| log.contains(spelled));
            assert!(!logs.iter().any(is_said), "{protocol}: {number} is in {logs:?}");
        }
    }
}

#[test]
fn pupils_who_agree_show_what_they_saw_and_who_does_not_is_not_pressed() {
    let dir = tempfile::tempdir().unwrap();
    let (mut host, code) = host(dir.path(), &["--stay"]);
    let mut pupils: Vec<Process> = ["10", "20", "30", "40"]
        .iter()
        .zip(1..)
        .map(|(value, number)| {
            let shows: &[&str] = if number == 2 { &["--show-when-asked"] } else { &[] };
            let pupil = join(dir.path(), &code, "", value, shows);
            ready(&host, number);
            pupil
        })
        .collect();
    host.types("ring");
    wait_until("the result", || host.stdout().contains("total 100.0"));
    host.types("collude P2,P4");
    wait_until("the question", || pupils[3].stderr().contains("collude with P2"));
    pupils[3].types("no");
    wait_until("the answer", || host.stderr().contains("P4 does not want to show what it saw"));
    host.types("collude P2,P4");
    wait_until("the question", || pupils[3].stderr().matches("collude with P2").count() == 2);
    pupils[3].types("yes");
    wait_until("the finding", || host.stdout().contains("30.0"));
    host.types("quit");
    host.wait().ok();
    for pupil in pupils {
        pupil.wait().ok();
    }
}

#[test]
fn a_round_keeps_its_result_when_a_colluder_refuses() {
    let dir = tempfile::tempdir().unwrap();
    let arguments = ["--pupils", "3", "--collude", "P1", "--json"];
    let (host, code) = host(dir.path(), &arguments);
    let mut pupils =
        ["10", "20", "30"].map(|value| join(dir.path(), &code, "", value, &["--json"]));
    let asked = |pupils: &[Process; 3]| {
        pupils.iter().position(|pupil| pupil.stderr().contains("The teacher asks"))
    };
    wait_until("the question", || asked(&pupils).is_some());
    let place = asked(&pupils).unwrap();
    pupils[place].types("no");
    let outcome = host.wait();
    assert_eq!(outcome.code, Some(7), "{}", outcome.stderr);
    let round: Value = serde_json::from_str(outcome.stdout.lines().nth(1).unwrap()).unwrap();
    assert_eq!((&round["total"], &round["finding"]), (&60.0.into(), &Value::Null));
    assert!(round["no_finding"].as_str().unwrap().contains("does not want to show"));
    for pupil in pupils {
        pupil.wait().ok();
    }
}

#[test]
fn enter_begins_before_all_have_come_and_what_is_typed_is_done() {
    let dir = tempfile::tempdir().unwrap();
    let (mut host, code) = host(dir.path(), &["--pupils", "9", "--stay", "--json"]);
    let pupils: Vec<Process> = (1..=4)
        .map(|number: usize| {
            let pupil = join(dir.path(), &code, "", &format!("{number}0"), &[]);
            ready(&host, number);
            pupil
        })
        .collect();
    host.types("without P4");
    host.types("what");
    wait_until("help", || host.stderr().contains("collude P3,P5"));
    host.types("");
    wait_until("a round of three", || host.stdout().contains("\"total\":60.0"));
    // The difference of the two totals is P4's value, which the teacher has to want.
    host.types("with P4");
    wait_until("the warning", || host.stderr().contains("Play with P4 all the same? [y/N]"));
    host.types("y");
    host.types("shares");
    wait_until("a round of four", || host.stdout().contains("\"total\":100.0"));
    host.types("without P4");
    wait_until("the question", || host.stderr().contains("Play without P4 all the same? [y/N]"));
    assert!(host.stderr().contains("the value of P4"), "{}", host.stderr());
    host.types("");
    host.types("without P9");
    wait_until("a complaint", || host.stderr().contains("P9 does not play"));
    // The end of its input is the end of the class.
    let outcome = host.wait().ok();
    let rounds: Vec<Value> =
        outcome.stdout.lines().skip(1).map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rounds.len(), 2);
    assert_eq!(list(&rounds[1], "announcements").len(), 4);
    for pupil in pupils {
        pupil.wait().ok();
    }
}

#[test]
fn a_killed_pupil_is_named_and_the_others_play_on_without_joining_again() {
    let dir = tempfile::tempdir().unwrap();
    let (mut host, code) = host(dir.path(), &[]);
    let mut pupils: Vec<Process> = Vec::new();
    for (name, value) in [("Anna", "10"), ("Ben", "20"), ("Cem", "30"), ("Dana", "40")] {
        pupils.push(join(dir.path(), &code, name, value, &[]));
        ready(&host, pupils.len());
    }
    // It is there and does nothing when the round begins.
    let ben = pupils.remove(1);
    ben.signal(Signal::STOP);
    host.types("");
    wait_until("the round to begin", || pupils[0].stdout().contains("Every screen shows"));
    ben.kill();
    wait_until("the question", || host.stderr().contains("Play again without P2?"));
    assert!(host.stderr().contains("P2 (Ben) left before the round was over"));
    for pupil in &pupils {
        wait_until("everybody to be told", || pupil.stderr().contains("P2 (Ben) left before"));
    }
    host.types("");
    wait_until("the result", || host.stdout().contains("total 80.0"));
    host.types("quit");
    host.wait().ok();
    for pupil in pupils {
        let outcome = pupil.wait().ok();
        assert!(outcome.stdout.contains("average of 3 pupils: 26.6667"), "{}", outcome.stdout);
    }
}

#[test]
fn a_host_that_is_stopped_tells_its_pupils_that_the_class_has_ended() {
    let dir = tempfile::tempdir().unwrap();
    for signal in [Signal::INT, Signal::TERM] {
        let (host, code) = host(dir.path(), &[]);
        let waits = join(dir.path(), &code, "", "10", &[]);
        ready(&host, 1);
        let mut command = sotto(dir.path());
        let hesitates = Process::start(typed(command.args(["ring", "join", &code])));
        wait_until("the question", || hesitates.stderr().contains("your value"));
        host.signal(signal);
        assert_eq!(host.wait().code, Some(0));
        for mut pupil in [waits, hesitates] {
            // Without its input being closed, which would end it, too.
            wait_until("the pupil to end", || !pupil.is_running());
            let outcome = pupil.wait().ok();
            assert!(outcome.stderr.contains("the class has ended"), "{}", outcome.stderr);
        }
    }
}

#[test]
fn a_pupil_that_is_interrupted_leaves_and_a_host_that_is_killed_is_missed() {
    let dir = tempfile::tempdir().unwrap();
    let (host, code) = host(dir.path(), &[]);
    let leaves = join(dir.path(), &code, "Anna", "10", &[]);
    let stays = join(dir.path(), &code, "Ben", "10", &[]);
    ready(&host, 2);
    leaves.signal(Signal::INT);
    let outcome = leaves.wait();
    assert_eq!(outcome.code, Some(130));
    assert!(outcome.stderr.contains("you have left the class"), "{}", outcome.stderr);
    wait_until("the host to notice", || host.stderr().contains("(Anna) has left"));
    host.kill();
    let outcome = stays.wait();
    assert_eq!(outcome.code, Some(5));
    outcome.says(&["the connection to the host is lost"]);
}

#[test]
fn a_value_outside_the_scale_is_refused_and_the_host_never_hears_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let (host, code) = host(dir.path(), &[]);
    let outcome = join(dir.path(), &code, "", "999", &[]).wait();
    assert_eq!(outcome.code, Some(3), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("999 is not between 0.0 and 100.0"), "{}", outcome.stderr);
    fs::write(dir.path().join("value"), "12.34\n").unwrap();
    let mut command = sotto(dir.path());
    let command = command.args(["ring", "join", &code, "--value-file", "value"]);
    let outcome = Process::start(command).wait();
    assert_eq!(outcome.code, Some(3), "{}", outcome.stderr);
    wait_until("both to be gone", || host.stderr().matches("has left").count() == 2);
    assert!(!host.stderr().contains("is ready"), "{}", host.stderr());
}

#[test]
fn a_code_that_is_mistyped_or_of_another_class_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (here, code) = host(dir.path(), &[]);
    let (there, other) = host(dir.path(), &[]);
    let refused = |code: &str, exit: i32, part: &str| {
        let outcome = Process::start(sotto(dir.path()).args(["ring", "join", code])).wait();
        outcome.refused(exit, &[part]);
    };
    let mut mistyped = code.clone().into_bytes();
    mistyped[12] = if mistyped[12] == b'x' { b'y' } else { b'x' };
    refused(std::str::from_utf8(&mistyped).unwrap(), 2, "group 3");
    refused(&code[..23], 2, "not complete");
    refused("hello", 2, "not the code of a class");
    there.kill();
    refused(&other, 5, "cannot be reached");
    drop(here);
}

#[test]
fn the_lesson_is_played_in_one_command_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let lesson = Process::start(sotto(dir.path()).args(["demo", "ring", "--json"])).wait().json();
    let rounds = list(&lesson, "rounds");
    let protocols: Vec<_> = rounds.iter().map(|round| round["protocol"].clone()).collect();
    assert_eq!(protocols, ["ring", "rings", "shares"]);
    let succeeded: Vec<_> =
        rounds.iter().map(|round| round["finding"]["succeeded"].clone()).collect();
    assert_eq!(succeeded, [true, false, false]);
    assert!(rounds.iter().all(|round| round["average"] == AVERAGE));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}
