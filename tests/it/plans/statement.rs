//! Statements as people read them.

/// Whether it wants several rows in an order, or some of many.
pub fn is_list(sql: &str) -> bool {
    let sql = flat(sql);
    sql.contains(" order by ") || sql.contains(" limit ")
}

/// Whether it wants no more than some of many, in an order.
pub fn is_page(sql: &str) -> bool {
    let sql = flat(sql);
    sql.contains(" order by ") && sql.contains(" limit ")
}

/// On one line.
pub fn flat(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// On one line, without the columns that it asks for, and with one parameter for a list of them.
pub fn brief(sql: &str) -> String {
    without_lists(&without_columns(&flat(sql)))
}

fn without_columns(flat: &str) -> String {
    let mut brief = String::new();
    let mut rest = flat;
    while let Some((before, columns)) = rest.split_once("select ") {
        brief.push_str(before);
        brief.push_str("select ");
        rest = match end_of_columns(columns) {
            Some(end) => {
                brief.push('…');
                &columns[end..]
            }
            None => columns,
        };
    }
    brief + rest
}

/// Where `from` stands that belongs to the columns, not to a part of them.
fn end_of_columns(columns: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, symbol) in columns.char_indices() {
        match symbol {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth < 0 {
            return None;
        }
        if depth == 0 && columns[at..].starts_with(" from ") {
            return Some(at);
        }
    }
    None
}

fn without_lists(sql: &str) -> String {
    let mut brief = String::new();
    let mut rest = sql;
    while let Some((before, list)) = rest.split_once(" in (") {
        brief.push_str(before);
        brief.push_str(" in (");
        let end = list.find(')').unwrap_or(list.len());
        let is_params = list[..end].split(", ").all(|word| word.starts_with('$') && !word.contains(' '));
        if is_params && end > "$1".len() {
            brief.push('…');
            rest = &list[end..];
        } else {
            rest = list;
        }
    }
    brief + rest
}

/// Whether a statement that was run came of this text: it is the text, begins with it, or has something in place of each
/// `{name}` of it.
pub fn fits(run: &str, text: &str) -> bool {
    let mut rest = run;
    text.split('{').enumerate().all(|(nth, part)| {
        let part = if nth == 0 { part } else { part.split_once('}').map_or(part, |(_, after)| after) };
        let found = if nth == 0 { rest.starts_with(part).then_some(0) } else { rest.find(part) };
        found.map(|at| rest = &rest[at + part.len()..]).is_some()
    })
}

#[test]
fn a_statement_is_shown_without_what_makes_it_long() {
    let sql = "select id,\n exists (select 1 from b where b.id = a.id) from a where kind in ($1, $2) and id in (select id from c)";
    assert_eq!(brief(sql), "select … from a where kind in (…) and id in (select … from c)");
}

#[test]
fn a_text_of_the_sources_is_found_in_what_was_run() {
    assert!(fits("select id, at from a where id = $1", "select {columns} from a where id = $1"));
    assert!(fits("select id from a where id = $1", "select id from a where "));
    assert!(!fits("select id, at from b where id = $1", "select {columns} from a where id = $1"));
}
