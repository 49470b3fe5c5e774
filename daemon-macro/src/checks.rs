//! What can be said of a value before the program runs. Only literals are checked here. The compiler checks all other
//! values, and `Daemon` checks them at run time.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use syn::{Lit, LitInt};

use crate::tokens::{hyphenated, is_punct};

/// Checks the value of the option `name`. `Err` has the message.
pub(crate) type Check = fn(name: &str, value: &TokenStream) -> Result<(), String>;

/// For options whose values are not literals.
pub(crate) const ANY: Check = |_, _| Ok(());

pub(crate) fn text(name: &str, value: &TokenStream) -> Result<(), String> {
    match string(value) {
        Some(text) if text.is_empty() => Err(format!("`{name}` is empty")),
        Some(text) if text.contains('\0') => Err(format!("`{name}` contains a NUL byte")),
        _ => Ok(()),
    }
}

pub(crate) fn account(name: &str, value: &TokenStream) -> Result<(), String> {
    text(name, value)?;
    if let [TokenTree::Ident(first), others @ ..] = Vec::from_iter(value.clone()).as_slice() {
        let (account, len) = hyphenated(first, others);
        // `BASE - OFFSET` is a difference of constants.
        let is_name = len > 0 && len == others.len() && !account.contains(char::is_uppercase);
        if is_name {
            return Err(format!("put the name in quotes: `{name} = \"{account}\"`"));
        }
    }
    Ok(())
}

pub(crate) fn path(name: &str, value: &TokenStream) -> Result<(), String> {
    text(name, value)?;
    match string(value).as_deref().and_then(left_to_a_shell) {
        Some(what) => Err(format!("`{name}` {what}, which only a shell expands; did you mean an absolute path?")),
        None => Ok(()),
    }
}

fn left_to_a_shell(path: &str) -> Option<&'static str> {
    match path {
        _ if path.starts_with('~') => Some("starts with `~`"),
        _ if path.starts_with('$') => Some("starts with `$`"),
        _ if path.contains("${") => Some("contains `${`"),
        _ => None,
    }
}

pub(crate) fn stream(name: &str, value: &TokenStream) -> Result<(), String> {
    path(name, value)?;
    let Some(path) = string(value) else {
        return Ok(());
    };
    let (what, meant) = match path.as_str() {
        "null" => (format!("would be a file named `{path}`"), "daemon_rt::Stdio::null()"),
        "inherit" | "-" => (format!("would be a file named `{path}`"), "daemon_rt::Stdio::inherit()"),
        _ if is_of_launcher(&path) => {
            ("names a stream of the launcher, not a file".to_owned(), "daemon_rt::Stdio::inherit()")
        }
        _ => return Ok(()),
    };
    Err(format!("`{name} = \"{path}\"` {what}; did you mean `{meant}`?"))
}

/// Whether the path is one of the names that Linux and the BSDs give to a process's open descriptors, fd(4).
fn is_of_launcher(path: &str) -> bool {
    let is_number = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
    let is_process = |name: &str| is_number(name) || ["self", "thread-self"].contains(&name);
    match path.split('/').collect::<Vec<_>>()[..] {
        ["", "dev", "stdin" | "stdout" | "stderr"] => true,
        ["", "dev", "fd", number] => is_number(number),
        ["", "proc", process, "fd", number] => is_process(process) && is_number(number),
        _ => false,
    }
}

pub(crate) fn umask(name: &str, value: &TokenStream) -> Result<(), String> {
    match literal(value) {
        Some(Lit::Str(text)) => Err(match octal_text(&text.value()) {
            Some(meant) => format!("`{name}` takes a number; did you mean `{meant}`?"),
            None => format!("`{name}` takes an octal number, e.g. `{name} = 0o027`"),
        }),
        Some(Lit::Int(number)) => octal(name, &number),
        _ => Ok(()),
    }
}

/// The number that the text `022` or `0o022` means.
fn octal_text(text: &str) -> Option<String> {
    let digits = text.strip_prefix("0o").unwrap_or(text);
    let is_octal = u32::from_str_radix(digits, 8).is_ok_and(|umask| umask <= 0o777) && !digits.starts_with('+');
    is_octal.then(|| format!("0o{digits}"))
}

fn octal(name: &str, number: &LitInt) -> Result<(), String> {
    let written = number.token().to_string();
    let digits = written.strip_suffix(number.suffix()).unwrap_or(&written).replace('_', "");
    let is_decimal = digits.bytes().all(|digit| digit.is_ascii_digit());
    match number.base10_digits().parse::<u32>() {
        Ok(0..=7) => Ok(()),
        Ok(value) if is_decimal => {
            let is_octal = digits.bytes().all(|digit| digit < b'8');
            let meant = if is_octal { format!("0o{digits}") } else { format!("{value:#o}") };
            Err(format!(
                "`{name}` must be written in octal: `{written}` is decimal (octal {value:#o}); did you mean `{meant}`?"
            ))
        }
        Ok(0..=0o777) => Ok(()),
        _ => Err(format!("`{name}` must be between 0o000 and 0o777")),
    }
}

pub(crate) fn list(name: &str, value: &TokenStream) -> Result<(), String> {
    match literal(value) {
        Some(Lit::Str(_) | Lit::Int(_)) => Err(format!("`{name}` takes a list: `{name} = [{value}]`")),
        _ => Ok(()),
    }
}

pub(crate) fn detach(name: &str, value: &TokenStream) -> Result<(), String> {
    match literal(value) {
        Some(_) => Err(format!("`{name}` takes `daemon_rt::Detach::Auto`, `Always` or `Never`")),
        None => Ok(()),
    }
}

pub(crate) fn respawn(name: &str, value: &TokenStream) -> Result<(), String> {
    match literal(value) {
        Some(_) => Err(format!("`{name}` takes a `Respawn`, e.g. `{name} = daemon_rt::Respawn::on_failure()`")),
        None => Ok(()),
    }
}

pub(crate) fn duration(name: &str, value: &TokenStream) -> Result<(), String> {
    let meant = match literal(value) {
        Some(Lit::Int(seconds)) => format!("from_secs({})", seconds.base10_digits()),
        Some(Lit::Float(seconds)) => format!("from_secs_f64({})", seconds.base10_digits()),
        _ => return Ok(()),
    };
    Err(format!("`{name}` takes a `Duration`; did you mean `std::time::Duration::{meant}`?"))
}

pub(crate) fn ready_fd(name: &str, value: &TokenStream) -> Result<(), String> {
    match literal(value) {
        Some(Lit::Int(number)) if number.base10_parse::<i64>().is_ok_and(|number| number < 3) => {
            Err(format!("`{name}` must be 3 or more: 0 to 2 are the standard streams"))
        }
        _ => Ok(()),
    }
}

pub(crate) fn function(name: &str, value: &TokenStream) -> Result<(), String> {
    if literal(value).is_some() {
        return Err(format!("`{name}` takes the path of a function, e.g. `{name} = setup`"));
    }
    let trees = Vec::from_iter(value.clone());
    let called = match trees.split_last() {
        Some((TokenTree::Group(arguments), path)) => {
            arguments.delimiter() == Delimiter::Parenthesis && arguments.stream().is_empty() && is_path(path)
        }
        _ => false,
    };
    if called {
        return Err(format!("`{name}` takes the path of a function, without `()`"));
    }
    Ok(())
}

pub(crate) fn crate_path(name: &str, value: &TokenStream) -> Result<(), String> {
    let path = value.to_string();
    let is_name =
        |name: &str| ["crate", "$crate", "self", "super"].contains(&name) || syn::parse_str::<Ident>(name).is_ok();
    if path.strip_prefix("::").unwrap_or(&path).split("::").map(str::trim).all(is_name) {
        return Ok(());
    }
    Err(format!("`{name}` takes a path, e.g. `{name} = ::daemon_rt`"))
}

/// The `?` of the value itself. In brackets or in a closure, it may belong to another function.
pub(crate) fn question_mark(value: &TokenStream) -> Option<TokenTree> {
    let has_closure = value.clone().into_iter().any(|token| is_punct(&token, '|'));
    value.clone().into_iter().find(|token| !has_closure && is_punct(token, '?'))
}

pub(crate) fn string(value: &TokenStream) -> Option<String> {
    match literal(value)? {
        Lit::Str(string) => Some(string.value()),
        _ => None,
    }
}

fn literal(value: &TokenStream) -> Option<Lit> {
    syn::parse2(value.clone()).ok()
}

/// Whether `trees` are names and the signs that join them.
fn is_path(trees: &[TokenTree]) -> bool {
    !trees.is_empty()
        && trees.iter().all(|tree| match tree {
            TokenTree::Ident(_) => true,
            TokenTree::Punct(punct) => ":<>,".contains(punct.as_char()),
            _ => false,
        })
}
