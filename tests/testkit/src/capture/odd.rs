use std::path::Path;

use crate::Error;

/// Everything the format allows and profilers rarely write. `[` opens it: the bare-array form.
const ODD: &str = r#"[
 {"name":"begin","cat":"a,b","ph":"B","ts":10,"pid":1,"tid":2,"args":{"k":1.50,"k":"twice","big":18446744073709551615,"neg":-9223372036854775808,"exp":1E+3,"tiny":1e-400}},
 {"name":"end","ph":"E","ts":20.0005,"pid":1,"tid":2},
 {"ts":"12.345","dur":"0.001","ph":"X","name":"times as text","pid":"p","tid":"t","extra":{"a":[1,[2,{"b":null}]],"":true}},
 {"name":"no duration","ph":"X","ts":30,"pid":1,"tid":2},
 {"name":"sub-nanosecond","ph":"X","ts":1.0000001,"dur":0.0004999,"pid":1,"tid":2},
 {"name":"escapes \"\\\/\b\f\n\r\t \u00e9\ud83d\ude80 é🚀","ph":"i","s":"p","ts":40,"pid":1,"tid":2},
 {"name":"counter","ph":"C","ts":50,"pid":1,"args":{"cats":0,"dogs":7.25}},
 {"name":"counter","ph":"C","ts":51,"pid":1,"id":"0x1f","args":{"cats":10}},
 {"name":"async","cat":"io","ph":"b","id":"0x2a","ts":60,"pid":1,"tid":2},
 {"name":"async","cat":"io","ph":"n","id":"0x2a","ts":61,"pid":1,"tid":2},
 {"name":"async","cat":"io","ph":"e","id2":{"local":"0x2a"},"ts":62,"pid":1,"tid":2},
 {"name":"flow","cat":"f","ph":"s","id":9007199254740993,"ts":70,"pid":1,"tid":2},
 {"name":"flow","cat":"f","ph":"t","id":9007199254740993,"ts":71,"pid":1,"tid":3},
 {"name":"flow","cat":"f","ph":"f","bp":"e","id":9007199254740993,"ts":72,"pid":1,"tid":4},
 {"name":"object","ph":"N","id":"o","ts":80,"pid":1,"tid":2},
 {"name":"thread_name","ph":"M","pid":1,"tid":2,"args":{"name":"main \u0000 thread"}},
 {"ph":"X","ts":90,"dur":1,"pid":1,"tid":2},
 {"name":"unknown phase","ph":"?","ts":91,"pid":1,"tid":2,"args":[]}
]
"#;

/// Writes a trace of oddities and returns how many events it has: times as text and below a nanosecond, numbers beyond
/// doubles and 64 bits, duplicate keys, escapes, unknown keys and phases, an event without a name.
pub fn write_odd(path: &Path) -> Result<u64, Error> {
    std::fs::write(path, ODD).map_err(Error::write(path))?;
    Ok(ODD.lines().filter(|line| line.starts_with(" {")).count() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_one_event_of_valid_json() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("odd.json");
        let events = write_odd(&path).unwrap();
        let separated: Vec<_> = ODD.lines().filter(|line| line.starts_with(" {")).collect();
        assert_eq!(separated.len() as u64, events);
        assert_eq!(events, 18);
    }
}
