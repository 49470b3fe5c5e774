use super::Stat;

#[test]
fn a_name_with_parentheses_and_spaces_hides_no_field() {
    for name in ["clockd", "a b", ") R 1", "((", "", "Web) (Content"] {
        let stat = Stat(format!("42 ({name}) S 7 42 42 0 -1 4194304\n"));
        assert_eq!(stat.name(), Some(name));
        assert_eq!((stat.field(3), stat.field(4), stat.number(9)), (Some("S"), Some("7"), Some(4_194_304)), "{name}");
        assert_eq!((stat.field(2), stat.field(10), stat.number(3)), (None, None, None), "{name}");
    }
}

#[test]
fn what_is_no_such_line_tells_nothing() {
    for text in ["", "42", "42 (clockd", "42 clockd) "] {
        let stat = Stat(text.to_owned());
        assert_eq!((stat.name(), stat.field(3)), (None, None), "{text}");
    }
}
