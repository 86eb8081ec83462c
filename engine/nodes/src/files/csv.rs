//! Comma-separated values: records written and read, with quotes where they are needed.

/// Writes records, one a line.
pub(super) fn write(records: &[Vec<String>], delimiter: char) -> String {
    let lines = records.iter().map(|record| {
        let cells: Vec<String> = record.iter().map(|cell| quoted(cell, delimiter)).collect();
        cells.join(&delimiter.to_string())
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn quoted(cell: &str, delimiter: char) -> String {
    if cell.contains([delimiter, '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

/// Reads records; empty lines are skipped, and delimiters and line ends in quotes belong to the cell.
pub(super) fn read(text: &str, delimiter: char) -> Vec<Vec<String>> {
    let mut records = Vec::new();
    let mut record = Vec::new();
    let mut cell = String::new();
    let mut quoted = false;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted => {
                if characters.next_if_eq(&'"').is_some() {
                    cell.push('"');
                } else {
                    quoted = false;
                }
            }
            '"' if cell.is_empty() => quoted = true,
            other if quoted => cell.push(other),
            end if end == delimiter => record.push(std::mem::take(&mut cell)),
            '\r' if characters.peek() == Some(&'\n') => {}
            '\n' | '\r' => end_record(&mut records, &mut record, &mut cell),
            other => cell.push(other),
        }
    }
    end_record(&mut records, &mut record, &mut cell);
    records
}

fn end_record(records: &mut Vec<Vec<String>>, record: &mut Vec<String>, cell: &mut String) {
    if record.is_empty() && cell.is_empty() {
        return;
    }
    record.push(std::mem::take(cell));
    records.push(std::mem::take(record));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read_again() {
        let records = vec![
            vec!["a".to_owned(), "b, c".to_owned()],
            vec!["say \"hi\"".to_owned(), "two\nlines".to_owned()],
            vec![String::new(), "end".to_owned()],
        ];
        assert_eq!(read(&write(&records, ','), ','), records);
        assert_eq!(read("a|b\r\n\r\n1|2\n", '|'), [["a", "b"], ["1", "2"]]);
    }
}
