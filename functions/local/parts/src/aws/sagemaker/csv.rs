//! A body of `text/csv`, as the container's decoder reads it: a header, and a row for each headline.

use serde_json::Value;

const NO_HEADER: &str = "You need to provide the correct CSV with Header columns to use it with the inference toolkit default \
     handler.";

/// The column `inputs`. A row that ends before it has null there.
pub(super) fn inputs(text: &str) -> Result<Vec<Value>, String> {
    let mut rows = rows(text).into_iter();
    let header = rows.next().unwrap_or_default();
    let known =
        |column: &String| ["question", "context", "inputs"].iter().any(|known| column.to_lowercase().contains(known));
    if !header.iter().any(known) {
        return Err(NO_HEADER.to_owned());
    }
    let Some(column) = header.iter().position(|column| column == "inputs") else {
        // What the container then passes on is a list of dictionaries.
        return Err(super::WRONG_TYPE.to_owned());
    };
    let cell = |row: Vec<String>| row.into_iter().nth(column).map_or(Value::Null, Value::String);
    let inputs: Vec<_> = rows.map(cell).collect();
    if inputs.is_empty() { Err("list index out of range".to_owned()) } else { Ok(inputs) }
}

/// Cells between commas, rows between line ends, both of which may be inside of quotes; two quotes there are one.
fn rows(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell) = (Vec::new(), Vec::new(), String::new());
    let (mut quoted, mut letters) = (false, text.chars().peekable());
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => cell.extend(letters.next()),
            '"' if quoted => quoted = false,
            // Within a cell that began without one it is a letter like any other.
            '"' if cell.is_empty() => quoted = true,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\r' if !quoted => (),
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            letter => cell.push(letter),
        }
    }
    if !cell.is_empty() || !row.is_empty() {
        row.push(cell);
        rows.push(row);
    }
    // Python's reader leaves out lines that are empty.
    rows.retain(|row| row.iter().any(|cell| !cell.is_empty()) || row.len() > 1);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hold_commas_line_ends_and_quotes() {
        let text = "id,inputs\r\n1,\"Profit, \"\"record\"\"\nand all\"\r\n\r\n2,plain";
        assert_eq!(inputs(text).unwrap(), ["Profit, \"record\"\nand all", "plain"]);
        let text = "inputs\n5\" guns, \"big\"\n\"a\"b\nSo \"it\" is\n\"\"";
        assert_eq!(inputs(text).unwrap(), ["5\" guns", "ab", "So \"it\" is"]);
        assert_eq!(inputs("id,inputs\n1").unwrap(), [Value::Null]);
        assert_eq!(inputs("headline\nProfit").unwrap_err(), NO_HEADER);
        assert_eq!(inputs("").unwrap_err(), NO_HEADER);
        assert_eq!(inputs("Inputs\nProfit").unwrap_err(), super::super::WRONG_TYPE);
        assert_eq!(inputs("inputs\n").unwrap_err(), "list index out of range");
    }
}
