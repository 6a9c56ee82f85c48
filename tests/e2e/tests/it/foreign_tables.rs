//! Tables that another engine made and changed inside a lake read as that engine reads them: columns renamed, swapped,
//! widened, dropped and added at every level, partition specs that followed one another, files without field ids,
//! rows deleted by copying files, format versions 1 and 2, and every snapshot of them.

use sluice_e2e::{Lake, check};

#[test]
fn tables_of_pyiceberg_read_as_it_reads_them() {
    let lake = Lake::new();
    let verdict = check("foreign_tables.py", [lake.path(), lake.scratch()]);
    assert!(verdict["checked"].as_u64() > Some(100), "{verdict}");
}
