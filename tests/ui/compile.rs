//! What the attribute says of mistakes: one file for each, with the compiler's output beside it.

#[test]
fn mistakes() {
    let tests = trybuild::TestCases::new();
    tests.compile_fail("fail/*.rs");
}
