//! The numbered examples run to their end.

macro_rules! examples {
    ($($name:ident $path:literal),* $(,)?) => {
        $(
            #[path = $path]
            mod $name;
        )*

        $(
            #[test]
            fn $name() {
                $name::main().unwrap();
            }
        )*

        #[test]
        fn none_is_left_out() {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
            let files = std::fs::read_dir(folder).unwrap().count();
            assert_eq!(files, [$($path),*].len());
        }
    };
}

examples! {
    first_hypergradient "../examples/01_first_hypergradient.rs",
    traced_penalties "../examples/02_traced_penalties.rs",
    unbiased_first_order "../examples/03_unbiased_first_order.rs",
    implicit "../examples/04_implicit.rs",
    gradients_only "../examples/05_gradients_only.rs",
    many_solutions "../examples/06_many_solutions.rs",
    learned_step_size "../examples/07_learned_step_size.rs",
    find_wrong_labels "../examples/08_find_wrong_labels.rs",
}
