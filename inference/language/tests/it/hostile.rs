//! Files that are no models, or mean harm.

use timeloom_language::convert::convert;
use timeloom_language::gguf::{Gguf, InvalidGguf, Value};

/// Writes a file: what it says of itself, and its weights as name, dimensions, kind and offset.
fn file(values: &[(&str, Vec<u8>)], weights: &[(&str, &[u64], u32, u64)], content: usize) -> Vec<u8> {
    let mut bytes = b"GGUF\x03\0\0\0".to_vec();
    bytes.extend((weights.len() as u64).to_le_bytes());
    bytes.extend((values.len() as u64).to_le_bytes());
    for (name, value) in values {
        bytes.extend(text(name));
        bytes.extend(value);
    }
    for (name, dimensions, kind, offset) in weights {
        bytes.extend(text(name));
        bytes.extend((dimensions.len() as u32).to_le_bytes());
        dimensions.iter().for_each(|length| bytes.extend(length.to_le_bytes()));
        bytes.extend(kind.to_le_bytes());
        bytes.extend(offset.to_le_bytes());
    }
    bytes.resize(bytes.len().next_multiple_of(32) + content, 0);
    bytes
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}

fn value(kind: u32, bytes: &[u8]) -> Vec<u8> {
    [&kind.to_le_bytes(), bytes].concat()
}

#[test]
fn what_a_file_says_and_its_weights_are_read() {
    let texts = [&8_u32.to_le_bytes()[..], &2_u64.to_le_bytes(), &text("a"), &text("b")].concat();
    let values = [
        ("n", value(4, &7_u32.to_le_bytes())),
        ("f", value(6, &0.5_f32.to_le_bytes())),
        ("t", value(8, &text("hello"))),
        ("list", value(9, &texts)),
    ];
    let mut bytes = file(&values, &[("w", &[32, 2], 3, 0), ("v", &[2], 0, 64)], 96);
    let start = bytes.len() - 96;
    // A block: scale 0.5, least -1, the first number 3 and the 17th 15.
    bytes[start..start + 5].copy_from_slice(&[0, 0x38, 0, 0xbc, 0xf3]);
    bytes[start + 64..start + 68].copy_from_slice(&2.5_f32.to_le_bytes());
    let read = Gguf::read(&bytes).unwrap();
    assert_eq!(read.number("n", 10), Ok(7));
    assert_eq!(read.fraction("f"), Ok(0.5));
    assert_eq!(read.text("t"), Ok("hello"));
    assert_eq!(read.value("list"), Some(&Value::Texts(vec!["a", "b"])));
    let numbers = read.weight("w").unwrap().numbers();
    assert_eq!((numbers.len(), numbers[0], numbers[1], numbers[16]), (64, 0.5, -1.0, 6.5));
    assert_eq!(read.weight("v").unwrap().numbers(), vec![2.5, 0.0]);
}

#[test]
fn a_file_that_claims_more_than_it_has_is_refused_before_anything_is_made_of_it() {
    let many = value(9, &[&8_u32.to_le_bytes()[..], &(1_u64 << 40).to_le_bytes()].concat());
    let nested = value(9, &[&9_u32.to_le_bytes()[..], &1_u64.to_le_bytes()].concat());
    let long = value(8, &u64::MAX.to_le_bytes());
    let no_alignment = value(4, &0_u32.to_le_bytes());
    let refused = [
        Vec::new(),
        b"GGUF\x03\0\0\0".to_vec(),
        b"GGML\x03\0\0\0".to_vec(),
        [&b"GGUF\x03\0\0\0"[..], &[0xff; 16]].concat(),
        file(&[("x", many)], &[], 0),
        file(&[("x", nested)], &[], 0),
        file(&[("x", long)], &[], 0),
        file(&[("general.alignment", no_alignment)], &[], 0),
        file(&[], &[("w", &[u64::MAX, 2], 0, 0)], 64),
        file(&[], &[("w", &[u64::MAX / 4, 4], 0, 0)], 64),
        file(&[], &[("w", &[0, 4], 0, 0)], 64),
        file(&[], &[("w", &[33, 1], 3, 0)], 64),
        file(&[], &[("w", &[8, 2], 0, 32)], 64),
        file(&[], &[("w", &[8, 1], 0, u64::MAX)], 64),
        file(&[], &[("w", &[1, 1, 1], 0, 0)], 64),
        file(&[], &[("w", &[8, 1], 99, 0)], 64),
    ];
    for (place, bytes) in refused.iter().enumerate() {
        assert!(Gguf::read(bytes).is_err(), "file {place}");
    }
}

#[test]
fn a_model_of_another_kind_is_refused_with_its_kind() {
    let architecture = |name: &str| ("general.architecture", value(8, &text(name)));
    let tokenizer = [("tokenizer.ggml.model", value(8, &text("spm"))), ("tokenizer.ggml.pre", value(8, &text("x")))];
    let bytes = file(&[architecture("mamba"), tokenizer[0].clone(), tokenizer[1].clone()], &[], 0);
    let error = convert(&bytes).unwrap_err();
    assert!(matches!(&error, InvalidGguf::Unsupported(why) if why.contains("spm") || why.contains("mamba")), "{error}");
    let nothing = convert(&file(&[], &[], 0)).unwrap_err();
    assert!(matches!(nothing, InvalidGguf::Missing(_)), "{nothing}");
}
