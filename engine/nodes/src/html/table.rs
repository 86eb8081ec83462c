//! Items as an HTML table. What is in the fields is markup as far as the table is concerned: nothing is escaped.

use serde_json::Value;
use timeloom_domain::item::{Item, JsonObject, PairedItem};
use timeloom_engine::node::{NodeError, NodeOutput, NodeRun};

use crate::values;

const TABLE_STYLE: &str = "style='border-spacing:0; font-family:helvetica,arial,sans-serif'";
const CELL_STYLE: &str = "style='margin:0; padding:7px 20px 7px 0px; border-bottom:1px solid #eee'";
const HEADER_STYLE: &str = "style='margin:0; padding:7px 20px 7px 0px; border-bottom:1px solid #eee; text-align:left; \
     color:#888; font-weight:normal'";

/// One item with a table of all.
pub(super) fn run(run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
    let items = run.items();
    let mut columns: Vec<&String> = Vec::new();
    for item in items.iter() {
        for name in item.json.keys() {
            if !columns.contains(&name) {
                columns.push(name);
            }
        }
    }
    let plain = run.boolean("options.customStyling", 0, false)?;
    let capitalize = run.boolean("options.capitalize", 0, false)?;
    let style = |style: &'static str| if plain { "" } else { style };
    let table_attributes = run.text("options.tableAttributes", 0, "")?;
    let header_attributes = run.text("options.headerAttributes", 0, "")?;
    let caption = run.text("options.caption", 0, "")?;
    let mut table = opened("table", style(TABLE_STYLE), &table_attributes);
    if !caption.is_empty() {
        table.push_str(&format!("<caption>{caption}</caption>"));
    }
    table.push_str(&format!("{}<tr>", opened("thead", style(HEADER_STYLE), &header_attributes)));
    for name in &columns {
        let title = if capitalize { capitalized(name) } else { (*name).clone() };
        table.push_str(&format!("<th>{title}</th>"));
    }
    table.push_str("</tr></thead><tbody>");
    for (index, item) in items.iter().enumerate() {
        table.push_str(&opened("tr", "", &run.text("options.rowAttributes", index, "")?));
        let cell_attributes = run.text("options.cellAttributes", index, "")?;
        for name in &columns {
            table.push_str(&opened("td", style(CELL_STYLE), &cell_attributes));
            table.push_str(&cell(item.json.get(*name)));
            table.push_str("</td>");
        }
        table.push_str("</tr>");
    }
    table.push_str("</tbody></table>");
    let json = JsonObject::from_iter([("table".to_owned(), Value::String(table))]);
    let pairs = (0..items.len()).map(PairedItem::index).collect();
    Ok(NodeOutput::single(vec![Item { paired_item: Some(PairedItem::Many(pairs)), ..Item::new(json) }]))
}

/// The blanks stand even where there is no style and no attribute: people compare tables by their text.
fn opened(name: &str, style: &str, attributes: &str) -> String {
    format!("<{name} {style} {attributes}>")
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None => "undefined".to_owned(),
        Some(Value::Bool(true)) => "<input type=\"checkbox\" checked=\"checked\"/>".to_owned(),
        Some(Value::Bool(false)) => "<input type=\"checkbox\"/>".to_owned(),
        Some(value) => values::text(value),
    }
}

/// `first_name` as `First Name`.
fn capitalized(name: &str) -> String {
    let words = name.split(['_', ' ']).filter(|word| !word.is_empty()).map(|word| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>()).unwrap_or_default()
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::html::Html;
    use crate::testing::{Bench, pairs_of};

    #[test]
    fn columns_are_the_fields_of_all_items() {
        let options = json!({
            "capitalize": true, "customStyling": true, "caption": "All", "tableAttributes": "id=t",
            "rowAttributes": "=class=r{{ $itemIndex }}",
        });
        let parameters = json!({"operation": "convertToHtmlTable", "options": options});
        let input = json!([{"first_name": "Ada", "ok": true}, {"n": 1, "ok": false}]);
        let mut bench = Bench::new(&Html, 1.2, parameters).input(input);
        let table = "<table  id=t><caption>All</caption><thead  ><tr><th>First Name</th><th>Ok</th><th>N</th></tr>\
             </thead><tbody><tr  class=r0><td  >Ada</td><td  ><input type=\"checkbox\" checked=\"checked\"/></td>\
             <td  >undefined</td></tr><tr  class=r1><td  >undefined</td><td  ><input type=\"checkbox\"/></td>\
             <td  >1</td></tr></tbody></table>";
        assert_eq!(bench.output(), json!([{ "table": table }]));
        assert_eq!(pairs_of(&bench.run().unwrap()), json!([[{"item": 0}, {"item": 1}]]));
    }
}
