//! Loops over the places of several tensors at once.

/// Visits all places of some axes, outermost first, with the offsets of N tensors.
#[inline(always)]
pub(super) fn walk<const N: usize>(
    axes: &[(usize, [isize; N])],
    mut visit: impl FnMut([isize; N]),
) {
    // Nearly all cases are short, and avoid a call for each place.
    match axes {
        [] => visit([0; N]),
        [one] => along(one, [0; N], &mut visit),
        [outer, inner] => along(outer, [0; N], &mut |at| along(inner, at, &mut visit)),
        _ => nested(axes, [0; N], &mut visit),
    }
}

#[inline(always)]
fn along<const N: usize>(
    &(count, strides): &(usize, [isize; N]),
    mut at: [isize; N],
    visit: &mut impl FnMut([isize; N]),
) {
    for _ in 0..count {
        visit(at);
        for (at, stride) in at.iter_mut().zip(strides) {
            *at += stride;
        }
    }
}

fn nested<const N: usize>(
    axes: &[(usize, [isize; N])],
    at: [isize; N],
    visit: &mut impl FnMut([isize; N]),
) {
    match axes.split_first() {
        None => visit(at),
        Some((outer, rest)) => along(outer, at, &mut |at| nested(rest, at, visit)),
    }
}
