use super::*;
use crate::range::{Chunk, Range};

const STENCIL: &str = "
    struct Step { width: u32, rate: f32, wind: vec3<f32>, strength: f32 }
    @group(0) @binding(0) var<uniform> step: Step;
    @group(0) @binding(1) var<storage, read> old: array<f32>;
    @group(0) @binding(2) var<storage, read_write> next: array<vec4<f32>>;
    @group(1) @binding(0) var<storage, read_write> seen: array<f32>;
    @group(1) @binding(1) var<storage, read_write> bins: array<atomic<u32>, 16>;
    @group(1) @binding(2) var<storage, read_write> never: array<f32>;
    var<workgroup> tile: array<f32, 64>;
    override SCALE: f32 = 2.0;
    @id(7) override TILE: u32 = 8;

    fn helper(i: u32) -> f32 { return seen[i] * SCALE + step.rate; }

    @compute @workgroup_size(TILE, 4)
    fn main(@builtin(global_invocation_id) id: vec3<u32>) {
        tile[0] = 1.0;
        next[id.x] = vec4<f32>(old[id.x] + helper(id.x));
        atomicAdd(&bins[0], 1u);
    }";

fn stencil() -> Kernel {
    Kernel::from_wgsl(STENCIL).expect("it is valid")
}

fn facts(kernel: &Kernel) -> &Facts {
    kernel.facts().expect("it is complete")
}

fn binding<'a>(kernel: &'a Kernel, name: &str) -> &'a Binding {
    let facts = facts(kernel);
    &facts.bindings[facts.find(name).expect("it is bound")]
}

#[test]
fn only_what_the_entry_point_reaches_is_bound() {
    let kernel = stencil();
    let names: Vec<_> = facts(&kernel)
        .bindings
        .iter()
        .map(|binding| binding.name.as_str())
        .collect();
    assert_eq!(names, ["step", "old", "next", "seen", "bins"]);
}

#[test]
fn usage_is_what_the_code_does_and_not_what_it_declares() {
    let kernel = stencil();
    let kinds = ["step", "old", "next", "seen", "bins"].map(|name| binding(&kernel, name).kind);
    let storage = BindingKind::Storage;
    let expected = [Usage::Read, Usage::Write, Usage::Read, Usage::Update].map(storage);
    assert_eq!(kinds[0], BindingKind::Uniform);
    assert_eq!(kinds[1..], expected);
}

#[test]
fn layouts_follow_the_rules_of_wgsl() {
    let kernel = stencil();
    let step = &binding(&kernel, "step").layout;
    assert_eq!((step.least_bytes, step.element.alignment), (32, 16));
    let offsets: Vec<_> = step
        .element
        .members
        .iter()
        .map(|member| (member.name.as_str(), member.offset))
        .collect();
    assert_eq!(
        offsets,
        [("width", 0), ("rate", 4), ("wind", 16), ("strength", 28)]
    );
    let next = &binding(&kernel, "next").layout;
    assert_eq!(
        (next.count, next.element.stride, next.element.word),
        (None, 16, None)
    );
    let bins = &binding(&kernel, "bins").layout;
    assert_eq!(
        (bins.count, bins.least_bytes, bins.element.word),
        (Some(16), 64, Some(Word::U32))
    );
    assert_eq!(binding(&kernel, "old").layout.element.type_name, "f32");
}

#[test]
fn a_struct_that_ends_in_a_runtime_array_needs_room_for_one_element() {
    let kernel = Kernel::from_wgsl(
        "struct List { count: u32, items: array<vec2<f32>> }
         struct Bare { items: array<u32> }
         @group(0) @binding(0) var<storage, read_write> list: List;
         @group(0) @binding(1) var<storage, read> bare: Bare;
         @group(0) @binding(2) var<storage, read> plain: array<vec2<f32>>;
         @compute @workgroup_size(1) fn main() { list.items[0] = plain[bare.items[list.count]]; }",
    )
    .expect("it is valid");
    let least = |name: &str| {
        let layout = &binding(&kernel, name).layout;
        (layout.count, layout.least_bytes)
    };
    assert_eq!(least("list"), (None, 16));
    assert_eq!(least("bare"), (None, 4));
    assert_eq!(least("plain"), (None, 8));
}

#[test]
fn what_is_wrong_with_constants_is_told_to_the_end() {
    let refused = |wgsl: &str, value: u32| {
        let kernel = Kernel::from_wgsl(wgsl).expect("it is valid");
        kernel.constant("N", value).unwrap_err().to_string()
    };
    let size = refused(
        "override N: u32 = 1; var<workgroup> w: array<u32, N>;
         @compute @workgroup_size(1) fn main() { w[0] = 1u; }",
        0,
    );
    assert!(size.ends_with("does not have a positive size"), "{size}");
    let index = refused(
        "override N: u32 = 1;
         @compute @workgroup_size(1) fn main() { var list = array<u32, 2>(1, 2); list[N] = 3u; }",
        7,
    );
    assert!(
        index.contains("wgsl:2:82") && index.contains("Accessing index 7 is out of"),
        "{index}"
    );
}

#[test]
fn an_error_in_a_long_line_shows_what_is_around_it() {
    let before = "_ = 1u; ".repeat(1000);
    let wgsl = format!("@compute @workgroup_size(1) fn main() {{ {before} let b = c; {before} }}");
    let error = Kernel::from_wgsl(&wgsl).unwrap_err();
    assert!(matches!(error, KernelError::Wgsl { .. }));
    let text = error.to_string();
    assert!(
        text.len() < 1000 && text.contains("let b = c;") && text.contains("^ unknown identifier"),
        "{text}"
    );
}

#[test]
fn constants_set_the_workgroup_and_the_key() {
    let plain = stencil();
    let tiled = stencil().constant("TILE", 16).expect("there is one");
    assert_eq!(facts(&plain).workgroup, [8, 4, 1]);
    assert_eq!(facts(&tiled).workgroup, [16, 4, 1]);
    assert_ne!(facts(&plain).key, facts(&tiled).key);
    assert_eq!(facts(&stencil()).key, facts(&plain).key);
    let by_id = stencil().constant("7", 16).expect("by its id");
    assert_eq!(facts(&by_id).workgroup, [16, 4, 1]);
}

#[test]
fn a_constant_that_does_not_exist_or_fit_is_refused() {
    let unknown = stencil().constant("TILES", 16).unwrap_err();
    assert_eq!(
        unknown.to_string(),
        "the kernel has no `override TILES`; it has SCALE, TILE"
    );
    assert!(matches!(
        stencil().constant("TILE", 0).unwrap_err(),
        KernelError::Constants { .. }
    ));
}

#[test]
fn a_constant_is_refused_what_its_type_does_not_have() {
    let kernel = Kernel::from_wgsl(
        "override N: u32 = 1; override I: i32 = 1; override F: f32 = 1; override B: bool = true;
         @compute @workgroup_size(1) fn main() {}",
    );
    let kernel = kernel.expect("it is valid");
    for (name, value) in [
        ("N", f64::NAN),
        ("N", 2.5),
        ("N", -3.0),
        ("N", 4_294_967_296.0),
        ("I", 2_147_483_648.0),
        ("I", 0.5),
        ("F", f64::INFINITY),
        ("F", 1e39),
        ("B", 2.0),
    ] {
        let refused = kernel.clone().constant(name, value).unwrap_err();
        let is_typed = matches!(refused, KernelError::ConstantValue { .. });
        assert!(is_typed, "{name} = {value}: {refused}");
    }
    for (name, value) in [
        ("N", 4_294_967_295.0),
        ("I", -2_147_483_648.0),
        ("F", 0.1),
        ("F", f64::from(f32::MAX)),
        ("B", 0.0),
    ] {
        let taken = kernel.clone().constant(name, value);
        assert!(taken.is_ok(), "{name} = {value}: {taken:?}");
    }
    assert_eq!(
        kernel.constant("N", -3).unwrap_err().to_string(),
        "`override N` is a `u32`, which can't be -3: give it a whole number from 0 to 4294967295"
    );
}

#[test]
fn a_constant_without_a_default_is_asked_for() {
    let source = "override N: u32; @compute @workgroup_size(N) fn main() {}";
    let kernel = Kernel::from_wgsl(source).expect("the source is valid");
    assert_eq!(
        kernel.facts().unwrap_err(),
        KernelError::MissingConstant {
            name: "N".to_owned()
        }
    );
    let complete = kernel.constant("N", 32).expect("there is one");
    assert_eq!(facts(&complete).workgroup, [32, 1, 1]);
}

#[test]
fn a_fault_in_the_source_is_shown_in_its_line() {
    let syntax = Kernel::from_wgsl("fn main( {}").unwrap_err().to_string();
    assert!(
        syntax.contains("fn main( {}") && syntax.contains("wgsl:1"),
        "{syntax}"
    );
    let types =
        Kernel::from_wgsl("@compute @workgroup_size(1) fn main() {\n  let x: i32 = 1.5;\n}");
    let types = types.unwrap_err().to_string();
    assert!(
        types.contains("let x: i32 = 1.5;") && types.contains("wgsl:2"),
        "{types}"
    );
    let rules = "@compute @workgroup_size(1) fn main(@builtin(position) p: vec4<f32>) {}";
    assert!(matches!(
        Kernel::from_wgsl(rules),
        Err(KernelError::Wgsl { .. })
    ));
}

#[test]
fn an_entry_point_is_chosen_by_name() {
    assert_eq!(
        Kernel::from_wgsl("fn main() {}").unwrap_err(),
        KernelError::NoEntry
    );
    let source = "@compute @workgroup_size(1) fn a() {} @compute @workgroup_size(2) fn b() {}";
    let kernel = Kernel::from_wgsl(source).expect("it is valid");
    let several = kernel.facts().unwrap_err().to_string();
    assert!(
        several.contains("a, b") && several.contains(".entry"),
        "{several}"
    );
    assert!(
        kernel
            .clone()
            .entry("c")
            .unwrap_err()
            .to_string()
            .contains("it has a, b")
    );
    assert_eq!(
        facts(&kernel.entry("b").expect("it is there")).workgroup,
        [2, 1, 1]
    );
}

#[test]
fn textures_are_refused_by_name() {
    let source = "@group(0) @binding(0) var image: texture_2d<f32>;
        @compute @workgroup_size(1) fn main() { _ = textureDimensions(image); }";
    let error = Kernel::from_wgsl(source).unwrap_err().to_string();
    assert!(
        error.contains("`image`") && error.contains("texture_2d<f32>"),
        "{error}"
    );
}

#[test]
fn a_declaration_survives_further_refinement() {
    let kernel = stencil()
        .access("next", Access::OneToOne)
        .expect("it may be")
        .constant("TILE", 4)
        .expect("it fits");
    assert_eq!(facts(&kernel).declared[2], Some(Access::OneToOne));
}

#[test]
fn patterns_that_let_two_devices_write_one_element_are_refused() {
    for access in [Access::All, Access::Neighborhood(1)] {
        let error = stencil().access("next", access).unwrap_err();
        assert_eq!(
            error,
            KernelError::WritesSharedElements {
                name: "next".to_owned(),
                access
            }
        );
    }
}

#[test]
fn accumulation_is_refused_where_it_makes_no_sense() {
    let add = Access::Accumulate(Combine::Add);
    assert!(stencil().access("bins", add).is_ok());
    assert!(matches!(
        stencil().access("old", add),
        Err(KernelError::AccumulatesNothing { .. })
    ));
    assert!(matches!(
        stencil().access("next", add),
        Err(KernelError::NotCombinable { .. })
    ));
    assert!(matches!(
        stencil().access("step", Access::All),
        Err(KernelError::AccessOfValue { .. })
    ));
    let unknown = stencil()
        .access("olt", Access::All)
        .unwrap_err()
        .to_string();
    assert_eq!(
        unknown,
        "the kernel binds no `olt`; it binds step, old, next, seen, bins"
    );
}

#[test]
fn sums_of_64_bits_are_neither_accumulated_nor_split_unasked() {
    for (ty, element) in [("atomic<u64>", "atomic<u64>"), ("Item", "Item")] {
        let kernel = Kernel::from_wgsl(&format!(
            "struct Item {{ n: atomic<i64>, m: u32 }}
            @group(0) @binding(0) var<storage, read_write> sums: array<{ty}>;
            @compute @workgroup_size(1) fn main() {{ {} }}",
            match ty {
                "Item" => "atomicAdd(&sums[0].n, 1li);",
                _ => "atomicAdd(&sums[0], 1lu);",
            }
        ))
        .expect("it is valid");
        let sums = binding(&kernel, "sums");
        assert_eq!(sums.kind, BindingKind::Storage(Usage::Update));
        assert_eq!(sums.layout.element.word, None);
        let range = Chunk::whole(Range::from(1000), [1; 3]);
        let proof = facts(&kernel).proof(&range, &[Given::Buffer(800)]);
        assert_eq!(*proof.accesses, [None], "it runs on one device");
        let access = Access::Accumulate(Combine::Add);
        assert_eq!(
            kernel.access("sums", access).unwrap_err(),
            KernelError::NotCombinable {
                name: "sums".to_owned(),
                element: element.to_owned(),
                access,
            }
        );
    }
}

#[test]
fn integers_that_are_the_bits_of_floats_are_not_added() {
    let sum = |body: &str| {
        let kernel = Kernel::from_wgsl(&format!(
            "@group(0) @binding(0) var<storage, read_write> sums: array<atomic<u32>>;
             @group(0) @binding(1) var<storage, read> x: array<f32>;
             fn added(old: u32, to: f32) -> u32 {{ return bitcast<u32>(bitcast<f32>(old) + to); }}
             fn add(i: u32, to: f32) {{
                 let sum = &sums[i];
                 var old = atomicLoad(sum);
                 loop {{
                     let got = atomicCompareExchangeWeak(sum, old, added(old, to));
                     if got.exchanged {{ break; }}
                     old = got.old_value;
                 }}
             }}
             @compute @workgroup_size(64)
             fn main(@builtin(global_invocation_id) id: vec3<u32>) {{ let i = id.x % 4u; {body} }}"
        ));
        kernel.expect("it is valid")
    };
    let add = Access::Accumulate(Combine::Add);
    for body in [
        "loop {
            let old = atomicLoad(&sums[i]);
            let next = bitcast<u32>(bitcast<f32>(old) + x[id.x]);
            if atomicCompareExchangeWeak(&sums[i], old, next).exchanged { break; }
        }",
        "var done = false;
        while !done {
            var old = atomicLoad(&sums[0]);
            var next = old;
            next = bitcast<u32>(x[id.x] + bitcast<f32>(old));
            done = atomicCompareExchangeWeak(&sums[0], old, next).exchanged;
        }",
        "add(i, x[id.x]);",
    ] {
        let refused = sum(body).access("sums", add).unwrap_err();
        assert!(
            matches!(refused, KernelError::AccumulatesBits { .. }),
            "{body}: {refused}"
        );
        assert!(
            refused.to_string().contains("atomicCompareExchangeWeak("),
            "{refused}"
        );
        // The least of such bits may be what is meant.
        let least = sum(body).access("sums", Access::Accumulate(Combine::Min));
        assert!(least.is_ok(), "{body}");
    }
    for body in [
        "atomicAdd(&sums[i], bitcast<u32>(x[id.x]));",
        "loop {
            let old = atomicLoad(&sums[i]);
            if atomicCompareExchangeWeak(&sums[i], old, old + u32(x[id.x])).exchanged { break; }
        }",
    ] {
        let taken = sum(body).access("sums", add);
        assert!(taken.is_ok(), "{body}: {taken:?}");
    }
}

#[test]
fn a_value_of_the_wrong_size_names_the_member() {
    let kernel = stencil();
    let step = binding(&kernel, "step");
    assert_eq!(step.check_value(&[0; 32], "Step"), Ok(()));
    let packed = step.check_value(&[0; 24], "Step").unwrap_err().to_string();
    assert!(
        packed.contains("`wind`") && packed.contains("8 bytes of padding"),
        "{packed}"
    );
    let short = step.check_value(&[0; 4], "u32").unwrap_err().to_string();
    assert!(
        short.contains("`rate`") && short.contains("32 bytes") && short.contains("`u32`"),
        "{short}"
    );
    let buffer = binding(&kernel, "old")
        .check_value(&[0; 4], "f32")
        .unwrap_err();
    assert_eq!(
        buffer,
        ValueError::IsBuffer {
            name: "old".to_owned()
        }
    );
}

#[test]
fn numbers_of_another_type_are_refused_with_what_to_write() {
    let kernel = Kernel::from_wgsl(
        "@group(0) @binding(0) var<uniform> a: f32;
         @group(0) @binding(1) var<uniform> n: u32;
         @group(0) @binding(2) var<uniform> v: vec3<f32>;
         @group(0) @binding(3) var<storage, read_write> y: array<f32>;
         @group(0) @binding(4) var<uniform> table: array<vec4<f32>, 2>;
         @compute @workgroup_size(1) fn main() { y[n] = a * v.x + table[1].y; }",
    );
    let kernel = kernel.expect("it is valid");
    let refused = |name: &str, bytes: usize, rust: &'static str| {
        let checked = binding(&kernel, name).check_value(&vec![0; bytes], rust);
        let error = checked.unwrap_err();
        assert!(matches!(error, ValueError::Type { .. }), "{error}");
        error.to_string()
    };
    assert_eq!(
        refused("a", 4, "i32"),
        "`a` is a `f32`, but the value is a `i32`: give it `f32`, as in `1.0_f32`"
    );
    // Not of the size: the type is what is wrong with it.
    let double = refused("a", 8, "f64");
    assert!(double.ends_with("as in `1.0_f32`"), "{double}");
    let whole = refused("n", 4, "f32");
    assert!(whole.ends_with("as in `1_u32`"), "{whole}");
    let vector = refused("v", 12, "[u32; 3]");
    assert!(vector.ends_with("give it `[f32; 3]`"), "{vector}");
    for (name, bytes, rust) in [
        ("a", 4, "f32"),
        ("n", 4, "u32"),
        ("v", 12, "[f32; 3]"),
        ("v", 16, "[f32; 4]"),
        ("v", 12, "glam::Vec3"),
        ("a", 4, "mine::Length"),
        ("table", 32, "[u32; 8]"),
        ("a", 4, "[u32; 1]"),
    ] {
        let checked = binding(&kernel, name).check_value(&vec![0; bytes], rust);
        assert_eq!(checked, Ok(()), "{name}: {rust}");
    }
}

#[test]
fn the_numbers_of_a_binding_are_named_and_placed_as_wgsl_lays_them_out() {
    let kernel = Kernel::from_wgsl(
        "struct Inner { at: vec2<i32>, turn: mat2x3<f32> }
        struct Outer { first: u32, inner: array<Inner, 2>, rest: array<vec3<f32>> }
        @group(0) @binding(0) var<storage, read_write> outer: Outer;
        @compute @workgroup_size(1)
        fn main() { outer.first = u32(outer.inner[1].at.y) + u32(outer.rest[0].x); }",
    );
    let kernel = kernel.expect("it is valid");
    let shape = facts(&kernel).shape(0);
    let place = |path: &str| {
        let leaf = shape.fixed.iter().find(|leaf| leaf.path == path);
        leaf.map(|leaf| (leaf.offset, leaf.number))
    };
    assert_eq!(place("first"), Some((0, Number::Unsigned(4))));
    assert_eq!(place("inner[0].at.y"), Some((20, Number::Signed(4))));
    // A column of three is laid out as one of four.
    assert_eq!(place("inner[1].turn[1].z"), Some((104, Number::Float(4))));
    assert_eq!(shape.fixed.len(), 1 + 2 * (2 + 6));
    let rest = shape.repeated.expect("it ends in an array");
    assert_eq!((rest.path.as_str(), rest.count), ("rest", None));
    assert_eq!((rest.offset, rest.stride), (112, 16));
    let offsets: Vec<_> = rest.element.iter().map(|leaf| leaf.offset).collect();
    assert_eq!(offsets, [0, 4, 8]);
}

#[test]
fn an_array_of_known_length_says_how_long_it_is() {
    let kernel = stencil();
    let facts = facts(&kernel);
    let bins = facts.shape(facts.find("bins").expect("it is bound"));
    assert!(bins.fixed.is_empty());
    let bins = bins.repeated.expect("it is an array");
    assert_eq!((bins.count, bins.stride), (Some(16), 4));
    assert_eq!(bins.element[0].number, Number::Unsigned(4));
}

#[test]
fn overrides_are_listed_with_what_they_may_be_called_by() {
    let overrides = stencil().overrides();
    let told: Vec<_> = overrides
        .iter()
        .map(|found| (found.name.as_str(), found.id, found.default))
        .collect();
    assert_eq!(
        told,
        [("SCALE", None, Some(2.0)), ("TILE", Some(7), Some(8.0))]
    );
}
