"""MAML on ten sinusoids in JAX: the inputs of `cargo bench -p bilevel-tasks --bench sinusoids`, vmapped and compiled.

    python sinusoids.py
"""
import time

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)
TASKS, POINTS, HIDDEN, STEPS, STEP_SIZE, REPEATS = 10, 10, 40, 5, 0.01, 301
SHAPES = [(1, HIDDEN), (HIDDEN,), (HIDDEN, HIDDEN), (HIDDEN,), (HIDDEN, 1), (1,)]


def points(query):
    task, i = np.arange(TASKS)[:, None], np.arange(POINTS)[None]
    inputs = 5.0 * np.sin((3 * i + 7 * task + 11 * query).astype(float))
    return inputs, (0.5 + 0.4 * task) * np.sin(inputs - 0.3 * task)


def split(flat):
    ends = np.cumsum([int(np.prod(shape)) for shape in SHAPES])
    return [part.reshape(shape) for part, shape in zip(jnp.split(flat, ends[:-1]), SHAPES)]


def loss(flat, inputs, targets):
    w0, b0, w1, b1, w2, b2 = split(flat)
    hidden = jax.nn.relu(inputs[:, None] @ w0 + b0)
    predicted = jax.nn.relu(hidden @ w1 + b1) @ w2 + b2
    return ((predicted[:, 0] - targets) ** 2).mean()


def outer(flat, support, query):
    y = flat
    for _ in range(STEPS):
        y = y - STEP_SIZE * jax.grad(loss)(y, *support)
    return loss(y, *query)


def over_tasks(flat, support, query):
    return jax.vmap(outer, in_axes=(None, 0, 0))(flat, support, query).mean()


gradient = jax.jit(jax.grad(over_tasks))
support, query = ([jnp.asarray(a) for a in points(q)] for q in (0, 1))
x = jnp.asarray(0.15 * np.sin(1.7 * np.arange(sum(int(np.prod(s)) for s in SHAPES))))
times = []
for _ in range(REPEATS + 1):
    begin = time.perf_counter()
    out = jax.block_until_ready(gradient(x, support, query))
    times.append(1e3 * (time.perf_counter() - begin))
first, times = times[0], sorted(times[1:])
print(f"jax: {times[REPEATS // 2]:.3f} ms (median of {REPEATS}; at best {times[0]:.3f}, first {first:.1f}); "
      f"norm of the hypergradient {float(jnp.linalg.norm(out)):.12f}, first element {float(out[0]):.12e}")
