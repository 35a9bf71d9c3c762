//! An exam's words, as they are after the kubelet has read them.

use proptest::prelude::*;

use super::super::containers::verbatim;
use super::*;

/// What the kubelet makes of an argument: `$$` is one `$`, `$(NAME)` a variable where there is one,
/// and a byte after any other `$` is taken for a character.
fn expand(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let rest = &bytes[at + 1..];
        match (bytes[at], rest.first()) {
            (b'$', Some(b'$')) => out.push(b'$'),
            (b'$', Some(b'(')) if rest.contains(&b')') => {
                out.extend(b"<variable>");
                at += rest.iter().take_while(|byte| **byte != b')').count();
            }
            (b'$', Some(next)) => {
                out.push(b'$');
                out.extend(char::from(*next).to_string().bytes());
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
                continue;
            }
        }
        at += 2;
    }
    out
}

proptest! {
    #[test]
    fn no_word_is_changed(word in r"[$()A-Zé ]{0,24}") {
        prop_assert_eq!(expand(&verbatim(&word)), word.into_bytes());
    }
}

#[tokio::test]
async fn a_shell_s_words_stand_last_and_are_doubled_where_the_kubelet_halves_them() {
    let mut spec = spec();
    let words = ["/bin/sh", "-c", "echo $(id) $$(id) $$ $HOME ${A} 5$"];
    spec.exam.shell = words.map(str::to_owned).to_vec();
    let pod = made(&spec).await;
    let (_, environment) = containers(&pod);
    let all = environment.args.as_deref().expect("it has some");
    let start = all.iter().position(|word| word == "--").expect("they do") + 1;
    let read: Vec<Vec<u8>> = all[start..].iter().map(|word| expand(word)).collect();
    assert_eq!(read, words.map(|word| word.as_bytes().to_vec()));
    // Before them, only the platform's own variables are for the kubelet to fill in.
    let filled = all[..start].iter().filter(|word| word.contains('$'));
    let filled: Vec<&str> = filled.map(String::as_str).collect();
    let ours = [
        "$(CARREL_INSTANCE)",
        "$(CARREL_NODE):10250",
        "$(KUBERNETES_SERVICE_HOST):$(KUBERNETES_SERVICE_PORT)",
    ];
    assert_eq!(filled, ours);
}
