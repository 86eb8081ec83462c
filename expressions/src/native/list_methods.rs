//! Methods of arrays that change nothing.

use super::ast::{Expr, Method};
use super::eval::{Machine, strict_equal};
use super::text_methods::{position, whole_argument};
use super::value::Js;
use super::{Stop, Unsupported};

/// Calls `list.method(...arguments)`.
pub(super) fn call<'a>(
    machine: &mut Machine<'a>,
    list: &Js<'a>,
    method: Method,
    arguments: &'a [Expr],
) -> Result<Js<'a>, Stop> {
    let length = list.array_len().unwrap_or(0);
    machine.charge(length)?;
    match method {
        Method::Map | Method::Filter | Method::Find | Method::FindIndex | Method::Some | Method::Every => {
            let [function] = arguments else { return Err(Unsupported.into()) };
            return with_each(machine, list, method, function);
        }
        Method::Reduce => return reduce(machine, list, arguments),
        _ => {}
    }
    let arguments = machine.eval_all(arguments)?;
    match method {
        Method::Includes | Method::IndexOf | Method::LastIndexOf => search(list, method, &arguments),
        Method::Join => {
            let separator = match arguments.first() {
                None | Some(Js::Undefined) => ",".into(),
                Some(separator) => separator.to_text()?,
            };
            let joined = list.join(&separator)?;
            machine.charge(joined.len())?;
            Ok(Js::text(joined))
        }
        Method::ToString => Ok(Js::Text(list.to_text()?)),
        Method::Slice => {
            let start = position(&arguments, 0, length, 0)?;
            let end = position(&arguments, 1, length, length)?;
            Ok(Js::array((start..end).filter_map(|index| list.element(index)).collect()))
        }
        Method::Concat => concat(machine, list, &arguments),
        Method::At => {
            let place = whole_argument(&arguments, 0)?;
            let place = if place < 0.0 { place + length as f64 } else { place };
            let is_inside = (0.0..length as f64).contains(&place);
            Ok(if is_inside { list.element(place as usize) } else { None }.unwrap_or(Js::Undefined))
        }
        // Arrays have no such method: a TypeError.
        _ => Err(Stop::Threw),
    }
}

fn elements<'a>(list: &Js<'a>) -> impl DoubleEndedIterator<Item = (usize, Js<'a>)> {
    let length = list.array_len().unwrap_or(0);
    (0..length).map(move |index| (index, list.element(index).unwrap_or(Js::Undefined)))
}

fn with_each<'a>(machine: &mut Machine<'a>, list: &Js<'a>, method: Method, function: &'a Expr) -> Result<Js<'a>, Stop> {
    let mut collected = Vec::new();
    for (index, element) in elements(list) {
        let arguments = [element.clone(), Js::Number(index as f64), list.clone(), Js::Undefined];
        let answer = machine.call_arrow(function, arguments, 3)?;
        match method {
            Method::Map => collected.push(answer),
            Method::Filter if answer.is_truthy() => collected.push(element),
            Method::Find if answer.is_truthy() => return Ok(element),
            Method::FindIndex if answer.is_truthy() => return Ok(Js::Number(index as f64)),
            Method::Some if answer.is_truthy() => return Ok(Js::Bool(true)),
            Method::Every if !answer.is_truthy() => return Ok(Js::Bool(false)),
            _ => {}
        }
    }
    Ok(match method {
        Method::Map | Method::Filter => Js::array(collected),
        Method::FindIndex => Js::Number(-1.0),
        Method::Some => Js::Bool(false),
        Method::Every => Js::Bool(true),
        _ => Js::Undefined,
    })
}

fn reduce<'a>(machine: &mut Machine<'a>, list: &Js<'a>, arguments: &'a [Expr]) -> Result<Js<'a>, Stop> {
    let function = arguments.first().ok_or(Unsupported)?;
    let mut elements = elements(list);
    let mut folded = match arguments.get(1) {
        Some(initial) => machine.eval(initial)?,
        // An empty array and no first value: a TypeError.
        None => elements.next().ok_or(Stop::Threw)?.1,
    };
    for (index, element) in elements {
        let arguments = [folded, element, Js::Number(index as f64), list.clone()];
        folded = machine.call_arrow(function, arguments, 4)?;
    }
    Ok(folded)
}

fn search<'a>(list: &Js<'a>, method: Method, arguments: &[Js<'a>]) -> Result<Js<'a>, Stop> {
    if arguments.len() > 1 {
        return Err(Unsupported.into());
    }
    let wanted = arguments.first().unwrap_or(&Js::Undefined);
    let is_nan = |value: &Js<'a>| matches!(value, Js::Number(number) if number.is_nan());
    let matches = |element: &Js<'a>| {
        let both_nan = method == Method::Includes && is_nan(wanted) && is_nan(element);
        Ok::<_, Stop>(both_nan || strict_equal(element, wanted)?)
    };
    let mut found = None;
    for (index, element) in elements(list) {
        if matches(&element)? {
            found = Some(index);
            if method != Method::LastIndexOf {
                break;
            }
        }
    }
    Ok(match method {
        Method::Includes => Js::Bool(found.is_some()),
        _ => Js::Number(found.map_or(-1.0, |index| index as f64)),
    })
}

fn concat<'a>(machine: &mut Machine<'a>, list: &Js<'a>, arguments: &[Js<'a>]) -> Result<Js<'a>, Stop> {
    let mut joined: Vec<Js<'a>> = elements(list).map(|(_, element)| element).collect();
    for argument in arguments {
        match argument.array_len() {
            Some(length) => {
                machine.charge(length)?;
                joined.extend(elements(argument).map(|(_, element)| element));
            }
            None => joined.push(argument.clone()),
        }
    }
    Ok(Js::array(joined))
}
