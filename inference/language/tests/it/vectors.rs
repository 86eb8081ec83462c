//! Vectors of a real model.

use timeloom_domain::chat::{EmbedInput, EmbedRequest, ErrorClass};
use timeloom_domain::item::JsonObject;
use timeloom_gateway::upstream::Upstream as _;

use crate::real::{OfFiles, file, provider};

fn ask(input: EmbedInput) -> EmbedRequest {
    EmbedRequest { model: "m".into(), input, dimensions: None, encoding: None, user: None, extra: JsonObject::new() }
}

fn texts(texts: &[&str]) -> EmbedRequest {
    ask(EmbedInput::Texts(texts.iter().map(|text| (*text).to_owned()).collect()))
}

fn alike(one: &[f32], two: &[f32]) -> f32 {
    one.iter().zip(two).map(|(one, two)| one * two).sum()
}

#[tokio::test]
async fn sentences_of_like_meaning_have_like_vectors() {
    let Some(path) = file("minilm", "model.onnx") else { return };
    let models = OfFiles::new(&path);
    let (local, _) = provider(models.clone());
    let request = texts(&[
        "The workflow failed because the server timed out.",
        "Execution aborted after a network timeout.",
        "The cat sat on the mat.",
    ]);
    let answer = local.embed(&request, "minilm").await.unwrap().answer;
    assert_eq!(models.asked(), 1, "all at once");
    let [one, two, three] = answer.vectors.as_slice() else { panic!("{} vectors", answer.vectors.len()) };
    assert_eq!(one.len(), 384);
    assert!((alike(one, one) - 1.0).abs() < 1e-5);
    assert!((alike(one, two) - 0.526).abs() < 0.02, "{}", alike(one, two));
    assert!(alike(one, three) < 0.1, "{}", alike(one, three));
    assert_eq!(answer.usage.unwrap().input_tokens, 12 + 10 + 10);
    assert_eq!(answer.model, "minilm@1");
    assert_eq!(local.embed(&request, "minilm").await.unwrap().answer, answer, "the same again");
}

#[tokio::test]
async fn many_texts_come_back_in_their_order_and_long_ones_are_refused() {
    let Some(path) = file("minilm", "model.onnx") else { return };
    let models = OfFiles::new(&path);
    let (local, _) = provider(models.clone());
    let long: Vec<String> = (0..40).map(|count| "cat ".repeat(1 + (count * 7) % 20)).collect();
    let request = ask(EmbedInput::Texts(long.clone()));
    let answer = local.embed(&request, "minilm").await.unwrap().answer;
    assert_eq!((answer.vectors.len(), models.asked()), (40, 2));
    for place in [0, 7, 39] {
        let alone = ask(EmbedInput::Text(long[place].clone()));
        let alone = local.embed(&alone, "minilm").await.unwrap().answer;
        assert!(alike(&alone.vectors[0], &answer.vectors[place]) > 0.98, "text {place}");
    }
    let refused = [
        (texts(&[&"cat ".repeat(600)]), ErrorClass::TooLong),
        (texts(&[]), ErrorClass::BadRequest),
        (ask(EmbedInput::Tokens(vec![1, 2])), ErrorClass::Unsupported),
        (EmbedRequest { dimensions: Some(100), ..texts(&["a"]) }, ErrorClass::Unsupported),
    ];
    for (request, class) in refused {
        assert_eq!(local.embed(&request, "minilm").await.unwrap_err().class, class);
    }
    let error = local.chat(&timeloom_gateway::upstream::Prompt::words(Default::default()), "minilm").await.unwrap_err();
    assert!(error.message.contains("smollm2"), "{error}");
}
