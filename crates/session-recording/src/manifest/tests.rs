use super::*;

#[test]
fn a_manifest_has_one_form_which_others_can_write_too() {
    let at = |micros: i64| DateTime::from_timestamp_micros(1_790_000_000_000_000 + micros).unwrap();
    let signed = SignedManifest {
        manifest: Manifest {
            session_id: "01982f6e-0000-7000-8000-000000000001".parse().unwrap(),
            segments: 3,
            last_hash: [0xab; 32],
            closed_at: at(0),
            final_hash: [0xcd; 32],
            signed_at: at(7),
            key_id: KeyId([0x1c; 32]),
        },
        signature: [0xe5; 64],
    };
    let expected = format!(
        "carrel-recording-manifest-v1\n\
         session_id 01982f6e-0000-7000-8000-000000000001\n\
         segments 3\n\
         last_hash {}\n\
         closed_at 2026-09-21T14:13:20.000000Z\n\
         final_hash {}\n\
         signed_at 2026-09-21T14:13:20.000007Z\n\
         key_id {}\n\
         signature {}\n",
        "ab".repeat(32),
        "cd".repeat(32),
        "1c".repeat(32),
        "e5".repeat(64),
    );
    assert_eq!(signed.text(), expected);
    assert_eq!(expected.parse(), Ok(signed));
    for (from, to, named) in [
        ("-v1", "-v2", "first line"),
        ("segments 3", "segments three", "segments"),
        ("closed_at", "closed", "closed_at"),
        ("segments 3", "segments 03", "end"),
        ("000007Z", "000007+00:00", "end"),
        ("e5\n", "e5\n\n", "end"),
        ("e5\n", "\n", "signature"),
    ] {
        let refused = expected.replace(from, to).parse::<SignedManifest>();
        let told = refused.unwrap_err().to_string();
        assert!(told.starts_with(&format!("its {named} ")), "{to}: {told}");
    }
}
