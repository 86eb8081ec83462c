//! The tree of the native subset. Everything outside the subset has no form here.

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expr {
    Undefined,
    Null,
    Bool(bool),
    Number(f64),
    Text(Box<str>),
    /// A template literal: texts and expressions by turns, text first and last.
    Interpolated(Box<[Box<str>]>, Box<[Expr]>),
    Array(Box<[Element]>),
    Object(Box<[Property]>),
    Root(Root),
    /// Something of another node; the slot keeps its answer for one evaluation.
    Node {
        slot: usize,
        name: Box<str>,
        access: NodeAccess,
    },
    /// A parameter of an enclosing arrow function, counted from the outermost.
    Local(usize),
    Unary(Unary, Box<Expr>),
    Binary(Binary, Box<Expr>, Box<Expr>),
    Logical(Logical, Box<Expr>, Box<Expr>),
    Conditional(Box<(Expr, Expr, Expr)>),
    Member {
        object: Box<Expr>,
        name: Box<str>,
        optional: bool,
    },
    Index {
        object: Box<Expr>,
        index: Box<Expr>,
        optional: bool,
    },
    Method {
        object: Box<Expr>,
        method: Method,
        arguments: Box<[Expr]>,
        optional: bool,
    },
    Call(Function, Box<[Expr]>),
    /// `x => body`; only ever an argument of an array method.
    Arrow {
        parameters: usize,
        base: usize,
        body: Box<Expr>,
    },
    /// The whole of a chain with `?.`: where a short cut ends.
    Chain(Box<Expr>),
}

/// An element of an array literal.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Element {
    One(Expr),
    Spread(Expr),
}

/// A property of an object literal.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Property {
    Named(Box<str>, Expr),
    Computed(Expr, Expr),
    Spread(Expr),
}

/// Data that an expression starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Root {
    Json,
    InputItem,
    InputFirst,
    InputLast,
    InputAll,
    ItemIndex,
    RunIndex,
    Vars,
    Env,
    ExecutionId,
    ExecutionMode,
    ExecutionResumeUrl,
    WorkflowId,
    WorkflowName,
    WorkflowActive,
    PreviousName,
    PreviousOutputIndex,
    PreviousRunIndex,
}

/// What is read of another node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NodeAccess {
    /// `$('X').item`.
    Paired,
    /// `$('X').first()`.
    First,
    /// `$('X').last()`.
    Last,
    /// `$('X').all()`.
    All,
    /// `$node["X"].json`.
    SameIndexJson,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unary {
    Not,
    Minus,
    Plus,
    TypeOf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
    StrictEqual,
    StrictUnequal,
    Equal,
    Unequal,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Logical {
    And,
    Or,
    Coalesce,
}

macro_rules! named {
    ($(#[$meta:meta])* $kind:ident { $($variant:ident = $name:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum $kind { $($variant),+ }

        impl $kind {
            /// The member of that name, where it is in the subset.
            pub(crate) fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

named! {
    /// A method of the subset. No name of an n8n extension method may stand here.
    Method {
        ToUpperCase = "toUpperCase", ToLowerCase = "toLowerCase", Trim = "trim", TrimStart = "trimStart",
        TrimEnd = "trimEnd", Split = "split", Includes = "includes", StartsWith = "startsWith",
        EndsWith = "endsWith", Slice = "slice", Substring = "substring", Substr = "substr", IndexOf = "indexOf",
        LastIndexOf = "lastIndexOf", CharAt = "charAt", CharCodeAt = "charCodeAt", At = "at",
        Replace = "replace", ReplaceAll = "replaceAll", PadStart = "padStart", PadEnd = "padEnd",
        Repeat = "repeat", Concat = "concat", ToString = "toString", ToFixed = "toFixed", Join = "join",
        Map = "map", Filter = "filter", Find = "find", FindIndex = "findIndex", Some = "some",
        Every = "every", Reduce = "reduce",
    }
}

named! {
    /// A free function of the subset.
    Function {
        Number = "Number", String = "String", Boolean = "Boolean", ParseInt = "parseInt",
        ParseFloat = "parseFloat", IsNaN = "isNaN", EncodeUriComponent = "encodeURIComponent",
        ObjectKeys = "Object.keys", ObjectValues = "Object.values", ObjectEntries = "Object.entries",
        JsonStringify = "JSON.stringify", JsonParse = "JSON.parse", IsArray = "Array.isArray",
        IsInteger = "Number.isInteger", NumberIsNaN = "Number.isNaN", IsFinite = "Number.isFinite",
        NumberParseInt = "Number.parseInt", NumberParseFloat = "Number.parseFloat",
        Floor = "Math.floor", Ceil = "Math.ceil", Round = "Math.round", Abs = "Math.abs", Min = "Math.min",
        Max = "Math.max", Trunc = "Math.trunc", Sqrt = "Math.sqrt", Pow = "Math.pow", Sign = "Math.sign",
    }
}
