//! Tables as RFC 4180 writes them, for people who open them in a spreadsheet: no cell of theirs becomes a formula.

/// A table that grows row by row.
pub struct Table(String);

impl Table {
    pub fn new(header: &[&str]) -> Self {
        let mut table = Self(String::new());
        table.row(&header.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        table
    }

    pub fn row(&mut self, cells: &[String]) {
        let cells: Vec<String> = cells.iter().map(|cell| quoted(&harmless(cell))).collect();
        self.0.push_str(&cells.join(","));
        self.0.push_str("\r\n");
    }

    pub fn finish(self) -> String {
        self.0
    }
}

/// Spreadsheets read what begins so as a formula, unless it is a number.
fn harmless(cell: &str) -> String {
    match cell.starts_with(['=', '+', '-', '@', '\t', '\r']) && !is_number(cell) {
        true => format!("'{cell}"),
        false => cell.to_owned(),
    }
}

/// Digits with a sign, and perhaps a point with more digits.
fn is_number(cell: &str) -> bool {
    let unsigned = cell.strip_prefix(['+', '-']).unwrap_or(cell);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    [whole, fraction].iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

fn quoted(cell: &str) -> String {
    match cell.contains([',', '"', '\r', '\n']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_text_and_numbers_stay_numbers() {
        for cell in
            ["=1+1", "+1+cmd", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "-", "+", "-1.", "-.5", "-1e5", "-1 "]
        {
            assert_eq!(harmless(cell), format!("'{cell}"));
        }
        for cell in ["-49.90", "+7", "0.05", "a=1", "", "12", " =1"] {
            assert_eq!(harmless(cell), cell);
        }
    }

    #[test]
    fn cells_are_quoted_where_they_must_be() {
        let mut table = Table::new(&["title", "amount"]);
        table.row(&["=HYPERLINK(\"http://x\", 1)".to_owned(), "-1.50".to_owned()]);
        table.row(&["two\nlines".to_owned(), String::new()]);
        assert_eq!(
            table.finish(),
            "title,amount\r\n\"'=HYPERLINK(\"\"http://x\"\", 1)\",-1.50\r\n\"two\nlines\",\r\n"
        );
    }
}
