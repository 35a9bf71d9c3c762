//! Documents, exit codes and files of the command line.

use serde_json::{Value, json};
use session_identity::ExamSessionId;
use sqlx::PgPool;

use crate::support::noise;
use crate::writing::{document, error, recorded, run};

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_list_tells_each_recording_and_goes_on_from_its_cursor(pool: PgPool) {
    let (older, newer) = (recorded(&pool, 10).await, recorded(&pool, 20).await);
    let (code, first) = document(&run(&pool, &["list", "--limit", "1"]));
    assert_eq!(
        (code, &first["schema"]),
        (Some(0), &json!("session-recording/list.v1"))
    );
    let mut recording = first["data"]["recordings"][0].clone();
    for varies in ["started_at", "last_hash", "stored_bytes", "segments"] {
        assert!(!recording[varies].is_null(), "{recording}");
        recording[varies] = Value::Null;
    }
    let exam = format!("exam-{}", newer.as_uuid().simple());
    let expected = json!({
        "session_id": newer, "user_id": "u-1", "exam_name": exam, "policy": "fail_closed",
        "records_input": false, "started_at": null, "segments": null, "shell_epoch": 1,
        "recorded_to": 20, "raw_bytes": recording["raw_bytes"], "stored_bytes": null,
        "closed_at": null, "last_hash": null,
    });
    assert_eq!(recording, expected);
    let cursor = first["data"]["next_cursor"].as_str().unwrap();
    let (_, second) = document(&run(&pool, &["list", "--after", cursor]));
    assert_eq!(second["data"]["recordings"][0]["session_id"], json!(older));
    assert_eq!(second["data"]["next_cursor"], Value::Null);
    let (_, by_exam) = document(&run(&pool, &["list", "--exam", &exam]));
    assert_eq!(by_exam["data"]["recordings"].as_array().unwrap().len(), 1);
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn verify_tells_the_last_hash_and_each_shell(pool: PgPool) {
    let session = recorded(&pool, 70_000).await;
    let (code, document) = document(&run(
        &pool,
        &["verify", "--session-id", &session.to_string()],
    ));
    let head = sqlx::query!(
        r#"SELECT next_seq, encode(last_hash, 'hex') AS "hash!" FROM session_recordings"#
    );
    let head = head.fetch_one(&pool).await.unwrap();
    let expected = json!({
        "schema": "session-recording/verify.v1",
        "data": {
            "session_id": session, "is_intact": true, "segments": head.next_seq,
            "last_hash": head.hash, "closed_at": null,
            "segments_after_close": 0, "signature": "missing", "manifests": [], "broken": null,
            "shells": [{ "shell_epoch": 1, "output_bytes": 70_000, "gap_bytes": 0 }],
            "gaps": [],
        },
    });
    assert_eq!((code, document), (Some(0), expected));
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn an_export_makes_a_file_once_or_writes_to_stdout(pool: PgPool) {
    let session = recorded(&pool, 5_000).await.to_string();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("exam.raw");
    let file = path.to_str().unwrap();
    let export = [
        "export",
        "--session-id",
        &session,
        "--format",
        "raw",
        "--to",
    ];
    let (code, document) = document(&run(&pool, &[&export[..], &[file]].concat()));
    let expected = json!({
        "schema": "session-recording/export.v1",
        "data": {
            "session_id": session, "format": "raw", "to": file, "manifest": null, "moments": 2,
            "output_bytes": 5_000, "gap_bytes": 0,
        },
    });
    assert_eq!((code, document), (Some(0), expected));
    assert!(std::fs::read(&path).unwrap() == noise(0, 5_000));
    let one = ["other.raw", "--manifest", "other.raw"];
    let (code, refused) = error(&run(&pool, &[&export[..], &one].concat()));
    let field = (code, &refused["field"]);
    assert_eq!(field, (Some(2), &json!("manifest")), "{refused}");
    let (code, again) = error(&run(&pool, &[&export[..], &[file]].concat()));
    assert_eq!((code, &again["field"]), (Some(2), &json!("to")), "{again}");
    let stdout = run(&pool, &[&export[..], &["-"]].concat());
    assert!(stdout.status.success() && stdout.stderr.is_empty());
    assert!(
        stdout.stdout == noise(0, 5_000),
        "the export and no document"
    );
}

#[sqlx::test(migrator = "migrations::MIGRATOR")]
async fn a_session_without_a_recording_is_not_found(pool: PgPool) {
    let nobody = ExamSessionId::generate().to_string();
    for verb in [&["verify"][..], &["export", "--to", "-"]] {
        let output = run(&pool, &[verb, &["--session-id", &nobody]].concat());
        let (code, error) = error(&output);
        assert_eq!(
            (code, &error["code"]),
            (Some(3), &json!("recording.not_found"))
        );
    }
}
