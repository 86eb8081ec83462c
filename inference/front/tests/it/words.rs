//! Words between bodies and tensors: nothing is lost on the way, and nothing unsound gets through.

use bytes::Bytes;
use proptest::prelude::*;
use timeloom_domain::inference::ElementType;
use timeloom_inference::Tensor;
use timeloom_inference_front::v2::{Answered, InferRequest, OutputTensor, ProtocolError, parse};

fn parse_json(json: &str) -> Result<InferRequest, ProtocolError> {
    parse(&Bytes::copy_from_slice(json.as_bytes()), None)
}

/// A request of one input, of which `fields` are the type, the shape and the data.
fn one(fields: &str) -> Result<Tensor, String> {
    let json = format!(r#"{{"inputs": [{{"name": "x", {fields}}}]}}"#);
    let mut request = parse_json(&json).map_err(|error| error.to_string())?;
    Ok(request.inputs.remove(0).tensor)
}

fn floats(tensor: &Tensor) -> Vec<f32> {
    tensor.data().chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
}

#[test]
fn flat_and_nested_data_are_the_same_whatever_comes_first() {
    let flat = one(r#""shape": [2, 3], "datatype": "FP32", "data": [1, 2.5, -3e0, 4, 5, 6]"#).unwrap();
    let nested = one(r#""data": [[1, 2.5, -3.0] , [4,5,6]], "datatype": "FP32", "shape": [2, 3]"#).unwrap();
    assert_eq!(flat, nested);
    assert_eq!((floats(&flat), flat.shape()), (vec![1.0, 2.5, -3.0, 4.0, 5.0, 6.0], &[2, 3][..]));
    let deep = one(r#""shape": [1, 2, 1, 1], "datatype": "INT64", "data": [[[[7]],[[-8]]]]"#).unwrap();
    assert_eq!(deep.data()[..], [7_i64.to_le_bytes(), (-8_i64).to_le_bytes()].concat());
    assert_eq!(one(r#""shape": [2, 0], "datatype": "INT8", "data": []"#).unwrap().data().len(), 0);
    assert_eq!(one(r#""shape": [2, 0], "datatype": "INT8", "data": [[],[]]"#).unwrap().data().len(), 0);
    assert_eq!(one(r#""shape": [], "datatype": "UINT8", "data": [9]"#).unwrap().data()[..], [9]);
}

#[test]
fn arrays_that_are_not_of_the_shape_are_refused() {
    for (shape, data) in [
        ("[2, 3]", "[1, 2, 3, 4, 5]"),
        ("[2, 3]", "[1, 2, 3, 4, 5, 6, 7]"),
        ("[2, 3]", "[[1, 2], [3, 4], [5, 6]]"),
        ("[2, 3]", "[[1, 2, 3], [4, 5], 6]"),
        ("[2, 3]", "[1, 2, 3, [4, 5, 6]]"),
        ("[2, 3]", "[[1, 2, 3], 4, 5, 6]"),
        ("[2, 3]", "[[[1, 2, 3], [4, 5, 6]]]"),
        ("[6]", "[[1, 2, 3], [4, 5, 6]]"),
        ("[1]", "1"),
        ("[]", "1"),
        ("[0]", "[1]"),
        ("[2, 0]", "[[]]"),
    ] {
        let refused = one(&format!(r#""shape": {shape}, "datatype": "INT32", "data": {data}"#)).unwrap_err();
        assert!(refused.contains("'data' must be one array of"), "{shape} {data}: {refused}");
    }
}

#[test]
fn what_a_type_cannot_hold_is_refused_by_its_place() {
    for (datatype, value) in [
        ("INT8", "300"),
        ("INT8", "-129"),
        ("UINT8", "-1"),
        ("UINT8", "256"),
        ("INT16", "32768"),
        ("UINT32", "4294967296"),
        ("INT64", "9223372036854775808"),
        ("UINT64", "18446744073709551616"),
        ("UINT64", "99999999999999999999999999"),
        ("INT32", "1.0"),
        ("INT32", "1e3"),
        ("INT32", "\"1\""),
        ("INT32", "true"),
        ("FP32", "1e39"),
        ("FP32", "null"),
        ("FP32", "\"1.5\""),
        ("FP64", "1e999"),
        ("BOOL", "1"),
        ("BOOL", "\"true\""),
        ("BYTES", "1"),
        ("BYTES", "{\"a\": 1}"),
    ] {
        let good = match datatype {
            "BOOL" => "true",
            "BYTES" => "\"a\"",
            _ => "1",
        };
        let fields = format!(r#""shape": [2], "datatype": "{datatype}", "data": [{good}, {value}]"#);
        let refused = one(&fields).unwrap_err();
        assert!(refused.starts_with("the input 'x': the element 1 is no "), "{datatype} {value}: {refused}");
    }
    for (datatype, value) in [("INT8", "-128"), ("UINT64", "18446744073709551615"), ("INT64", "-9223372036854775808")] {
        one(&format!(r#""shape": [1], "datatype": "{datatype}", "data": [{value}]"#)).unwrap();
    }
}

#[test]
fn what_json_does_not_have_is_sent_as_binary() {
    let nan = one(r#""shape": [1], "datatype": "FP32", "data": [NaN]"#).unwrap_err();
    assert!(nan.contains("NaN and Infinity can be sent as binary tensors only"), "{nan}");
    let half = one(r#""shape": [1], "datatype": "FP16", "data": [1.0]"#).unwrap_err();
    assert_eq!(half, "the input 'x': FP16 can be sent as binary only");
}

#[test]
fn numbers_are_read_as_the_nearest_that_the_type_has() {
    // Read as a double first and then as a float, the second would be rounded twice and be another.
    let numbers = ["0.1", "1.00000017881393432617187499", "-0.0", "1e-46", "3.4028235e38", "16777217"];
    let fields = format!(r#""shape": [{}], "datatype": "FP32", "data": [{}]"#, numbers.len(), numbers.join(","));
    let read: Vec<u32> = floats(&one(&fields).unwrap()).into_iter().map(f32::to_bits).collect();
    let wanted: Vec<u32> = numbers.iter().map(|number| number.parse::<f32>().unwrap().to_bits()).collect();
    assert_eq!(read, wanted);
}

#[test]
fn texts_are_unescaped_and_measured_in_bytes() {
    let texts = one(r#""shape": [3], "datatype": "BYTES", "data": ["a]b", "\"\u00fc\n", ""]"#).unwrap();
    assert_eq!(texts.data()[..], *b"\x03\0\0\0a]b\x04\0\0\0\"\xc3\xbc\n\0\0\0\0");
}

#[test]
fn binary_tensors_follow_the_json_in_the_order_of_the_inputs() {
    let json = r#"{"id": "7", "inputs": [
        {"name": "a", "shape": [2], "datatype": "FP16", "parameters": {"binary_data_size": 4}},
        {"name": "j", "shape": [1], "datatype": "UINT8", "data": [5]},
        {"name": "b", "shape": [2], "datatype": "BYTES", "parameters": {"binary_data_size": 9}}],
        "outputs": [{"name": "y", "parameters": {"binary_data": true}}, {"name": "z"}],
        "parameters": {"priority": 1, "timeout": 5000, "binary_data_output": false, "own": [1, {"deep": []}]}}"#;
    let body = Bytes::from([json.as_bytes(), &[1, 2, 3, 4], b"\x01\0\0\0x\0\0\0\0"].concat());
    let request = parse(&body, Some(json.len())).unwrap();
    assert_eq!(request.inputs[0].tensor.data()[..], [1, 2, 3, 4]);
    assert_eq!(request.inputs[2].tensor.data()[..], *b"\x01\0\0\0x\0\0\0\0");
    assert!(body.as_ptr_range().contains(&request.inputs[0].tensor.data().as_ptr()), "it is a part of the body");
    assert_eq!((request.id.as_deref(), request.priority, request.timeout_us), (Some("7"), Some(1), Some(5000)));
    let outputs = request.outputs.as_ref().unwrap();
    assert_eq!((outputs[0].binary, outputs[1].binary), (Some(true), None));
    let short = parse(&body.slice(..body.len() - 1), Some(json.len())).unwrap_err();
    assert_eq!(short.to_string(), "the inputs tell of 13 binary bytes, but 12 follow the JSON");
    let long = parse(&body, Some(body.len() + 1)).unwrap_err();
    assert!(matches!(long, ProtocolError::HeaderLength { .. }), "{long}");
}

#[test]
fn binary_bytes_that_are_no_tensor_are_refused() {
    let request = |shape: &str, datatype: &str, bytes: &[u8]| {
        let (size, input) = (bytes.len(), format!(r#""name": "x", "shape": {shape}, "datatype": "{datatype}""#));
        let json = format!(r#"{{"inputs": [{{{input}, "parameters": {{"binary_data_size": {size}}}}}]}}"#);
        let body = [json.as_bytes(), bytes].concat();
        parse(&body.into(), Some(json.len())).unwrap_err().to_string()
    };
    assert_eq!(request("[2]", "FP32", &[0; 7]), "the input 'x': the shape [2] of FP32 wants 8 bytes, there are 7");
    assert!(request("[1]", "BYTES", &[9, 0, 0, 0, 1]).contains("do not fit the 5 bytes"));
    assert!(request("[18446744073709551615, 2]", "FP32", &[0; 4]).contains("too large"));
}

#[test]
fn what_is_not_served_or_not_sound_is_told() {
    let x = r#"{"name": "x", "shape": [1], "datatype": "INT8", "data": [1]}"#;
    for (json, wanted) in [
        ("{".to_owned(), "the JSON is not understood"),
        ("[]".to_owned(), "the JSON is not understood"),
        ("{}".to_owned(), "missing field `inputs`"),
        (format!(r#"{{"inputs": [{x}, {x}]}}"#), "the input 'x' is there twice"),
        (format!(r#"{{"inputs": [{x}], "parameters": {{"sequence_id": 1}}}}"#), "sequences are not served"),
        (
            format!(r#"{{"inputs": [{x}], "outputs": [{{"name": "y", "parameters": {{"classification": 2}}}}]}}"#),
            "classification is not served",
        ),
        (x.replace("[1]}", "[1], \"parameters\": {\"binary_data_size\": 1}}"), "missing field `inputs`"),
        (r#"{"inputs": [{"name": "x", "shape": [-1], "datatype": "INT8", "data": [1]}]}"#.to_owned(), "invalid value"),
        (r#"{"inputs": [{"name": "x", "shape": [1], "datatype": "INT7", "data": [1]}]}"#.to_owned(), "'INT7' is no type"),
        (r#"{"inputs": [{"name": "x", "shape": [1], "datatype": "INT8"}]}"#.to_owned(), "it needs either 'data' or"),
        (
            r#"{"inputs": [{"name": "x", "shape": [1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1], "datatype": "INT8", "data": [1]}]}"#
                .to_owned(),
            "17 dimensions",
        ),
        (
            r#"{"inputs": [{"name": "x", "shape": [1000000000000], "datatype": "FP64", "data": [1]}]}"#.to_owned(),
            "too large",
        ),
        (format!(r#"{{"inputs": [{{"name": "{}"}}]}}"#, "n".repeat(10)), "missing field"),
        (format!(r#"{{"id": "{}", "inputs": [{x}]}}"#, "n".repeat(600)), "too many bytes: 512 are the most"),
    ] {
        let refused = parse_json(&json).unwrap_err().to_string();
        assert!(refused.contains(wanted), "{json}: {refused}");
    }
    let deep =
        format!(r#"{{"inputs": [{{"name": "x", "shape": [1], "datatype": "INT8", "data": {}1"#, "[".repeat(200_000));
    assert!(matches!(parse_json(&deep), Err(ProtocolError::Json(_))));
    let nest = format!("{}1{}", "[".repeat(200_000), "]".repeat(200_000));
    let deep = one(&format!(r#""shape": [1], "datatype": "INT8", "data": {nest}"#)).unwrap_err();
    assert!(deep.contains("'data' must be one array of 1 elements"), "{deep}");
    let own = format!(r#"{{"inputs": [{x}], "own": {nest}}}"#);
    assert_eq!(parse_json(&own).unwrap().inputs.len(), 1, "what is not ours is skipped, however deep it is");
}

#[test]
fn outputs_are_picked_by_their_names_and_all_where_nothing_is_named() {
    let tensor = |byte: u8| Tensor::new(ElementType::U8, vec![1], vec![byte].into()).unwrap();
    let computed = || vec![("y".to_owned(), tensor(1)), ("z".to_owned(), tensor(2))];
    let pick = |more: &str| {
        let input = r#"{"name": "a", "shape": [1], "datatype": "INT8", "data": [1]}"#;
        let request = parse_json(&format!(r#"{{"inputs": [{input}]{more}}}"#)).unwrap();
        let named = ("m".to_owned(), "1".to_owned(), None);
        Answered::pick(named, computed(), request.outputs.as_deref(), request.binary_output)
    };
    let told = |more: &str| {
        let picked = pick(more).unwrap().outputs.into_iter();
        picked.map(|output| (output.name, output.tensor.data()[0], output.binary)).collect::<Vec<_>>()
    };
    let (y, z) = ("y".to_owned(), "z".to_owned());
    assert_eq!(told(""), [(y.clone(), 1, false), (z.clone(), 2, false)]);
    let outputs = r#""outputs": [{"name": "z", "parameters": {"binary_data": false}}, {"name": "y"}]"#;
    let more = format!(r#", {outputs}, "parameters": {{"binary_data_output": true}}"#);
    assert_eq!(told(&more), [(z, 2, false), (y, 1, true)]);
    let unknown = pick(r#", "outputs": [{"name": "q"}]"#).unwrap_err().to_string();
    assert_eq!(unknown, "the model has no output 'q'");
}

fn tensors() -> impl Strategy<Value = Tensor> {
    let shapes = proptest::collection::vec(0..4_usize, 0..4);
    (0..ElementType::ALL.len(), shapes, any::<u64>()).prop_map(|(element, shape, seed)| {
        let element = ElementType::ALL[element];
        let (elements, mut chance) = (shape.iter().product::<usize>(), seed);
        let mut byte = || {
            chance = timeloom_domain::chance::mixed(chance);
            chance as u8
        };
        let mut data = Vec::new();
        for _ in 0..elements {
            match element {
                ElementType::Bool => data.push(byte() & 1),
                // Any digits, but no number that JSON does not have.
                ElementType::F32 => {
                    let bits = f32::from_le_bytes([byte(), byte(), byte(), byte()]);
                    data.extend(if bits.is_finite() { bits } else { 0.0 }.to_le_bytes());
                }
                ElementType::F64 => {
                    let bits = f64::from_le_bytes(std::array::from_fn(|_| byte()));
                    data.extend(if bits.is_finite() { bits } else { -0.0 }.to_le_bytes());
                }
                ElementType::Bytes => {
                    let text: String = (0..byte() % 9).map(|_| char::from(byte())).collect();
                    data.extend((text.len() as u32).to_le_bytes());
                    data.extend(text.into_bytes());
                }
                other => data.extend((0..other.bytes().unwrap()).map(|_| byte())),
            }
        }
        Tensor::new(element, shape, data.into()).unwrap()
    })
}

/// An answer as the request that it would be.
fn turned_around(answer: &Answered) -> (Bytes, Option<usize>) {
    let encoded = answer.encode().unwrap();
    let json_length = encoded.json_length.unwrap_or(encoded.body.len());
    let (json, binary) = encoded.body.split_at(json_length);
    let json = String::from_utf8(json.to_vec()).unwrap().replacen("\"outputs\":[", "\"inputs\":[", 1);
    let length = encoded.json_length.map(|_| json.len());
    (Bytes::from([json.as_bytes(), binary].concat()), length)
}

fn answered(tensors: Vec<(Tensor, bool)>) -> Answered {
    let json_has = |tensor: &Tensor| !matches!(tensor.element(), ElementType::F16 | ElementType::Bf16);
    let outputs = tensors.into_iter().enumerate().map(|(at, (tensor, binary))| {
        let binary = binary || !json_has(&tensor);
        OutputTensor { name: format!("o\"{at}\n"), tensor, binary }
    });
    Answered { model: "m".to_owned(), version: "3".to_owned(), id: Some("i\\d".to_owned()), outputs: outputs.collect() }
}

proptest! {
    #[test]
    fn what_is_written_is_read_as_the_same(tensors in proptest::collection::vec((tensors(), any::<bool>()), 0..4)) {
        let answer = answered(tensors);
        let (body, json_length) = turned_around(&answer);
        let read = parse(&body, json_length).unwrap();
        prop_assert_eq!(&read.id, &answer.id);
        prop_assert_eq!(read.inputs.len(), answer.outputs.len());
        for (input, output) in read.inputs.iter().zip(&answer.outputs) {
            prop_assert_eq!((&input.name, &input.tensor), (&output.name, &output.tensor));
        }
    }

    #[test]
    fn bodies_that_were_damaged_are_read_or_refused_and_nothing_else(
        tensors in proptest::collection::vec((tensors(), any::<bool>()), 1..3),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 1..6),
        length in prop_oneof![3 => Just(None), 1 => (0..400_usize).prop_map(Some)],
    ) {
        let (body, json_length) = turned_around(&answered(tensors));
        let mut bytes = body.to_vec();
        for (at, byte, kind) in damage {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, byte),
                _ => bytes.truncate(at),
            }
        }
        if let Ok(request) = parse(&bytes.into(), length.or(json_length)) {
            // What got through is sound: its tensors were checked when they were made.
            prop_assert!(request.inputs.iter().all(|input| input.tensor.shape().len() <= 16));
        }
    }
}

#[test]
fn outputs_that_json_cannot_tell_are_refused_with_what_to_do() {
    let answer = |element, data: &[u8]| {
        let tensor = Tensor::new(element, vec![1], Bytes::copy_from_slice(data)).unwrap();
        let outputs = vec![OutputTensor { name: "y".to_owned(), tensor, binary: false }];
        Answered { model: "m".to_owned(), version: "1".to_owned(), id: None, outputs }.encode()
    };
    let nan = answer(ElementType::F32, &f32::NAN.to_le_bytes()).unwrap_err().to_string();
    assert_eq!(nan, "the output 'y' holds NaN or infinity, which JSON does not have: ask for it with binary_data");
    assert!(answer(ElementType::F16, &[0, 0]).is_err());
    assert!(answer(ElementType::Bytes, &[1, 0, 0, 0, 0xff]).is_err());
    let written = answer(ElementType::Bool, &[1]).unwrap();
    let json = r#"{"model_name":"m","model_version":"1","outputs":[{"name":"y","datatype":"BOOL","shape":[1],"data":[true]}]}"#;
    assert_eq!((written.body, written.json_length), (json.as_bytes().to_vec(), None));
}
