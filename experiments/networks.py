"""The networks of bilevel-tasks in PyTorch, in double precision, on the same weights and pictures.

    python experiments/networks.py > crates/bilevel-tasks/tests/files/networks.json

Needs torch and torchvision. Weights, pictures and directions are drawn by a formula that the test
(crates/bilevel-tasks/tests/networks.rs) has too; what is stored are the logits, the loss, and for each parameter the length
of its gradient and of its part of a product with the Hessian, with their products with a direction.
"""

import json

import numpy as np
import torch
from torch import nn
from torchvision.models import resnet18

torch.set_default_dtype(torch.float64)
PICTURES, CLASSES = 4, 5


def drawn(count, number):
    """Numbers between -1/2 and 1/2."""
    j = np.arange(count, dtype=np.uint64)
    mixed = (j * np.uint64(2654435761) + np.uint64(number) * np.uint64(40503) + np.uint64(12345)) % np.uint64(2**32)
    mixed = mixed ^ (mixed >> np.uint64(15))
    mixed = (mixed * np.uint64(2246822519)) % np.uint64(2**32)
    mixed = mixed ^ (mixed >> np.uint64(13))
    return mixed.astype(np.float64) / 2.0**32 - 0.5


def conv4(filters, pooled, channels, features):
    layers = {}
    for i in range(4):
        stride = 1 if pooled else 2
        layers[f"conv{i}"] = nn.Conv2d(channels, filters, 3, stride, 1, bias=False)
        layers[f"norm{i}"] = nn.BatchNorm2d(filters)
        layers[f"relu{i}"] = nn.ReLU()
        if pooled:
            layers[f"pool{i}"] = nn.MaxPool2d(2)
        channels = filters
    layers["flat"] = nn.Flatten()
    layers["head"] = nn.Linear(features, CLASSES)
    net = nn.Sequential()
    for name, layer in layers.items():
        net.add_module(name, layer)
    return net


def lenet():
    net = nn.Sequential()
    for name, layer in {
        "conv1": nn.Conv2d(1, 6, 5, padding=2), "relu1": nn.ReLU(), "pool1": nn.MaxPool2d(2),
        "conv2": nn.Conv2d(6, 16, 5), "relu2": nn.ReLU(), "pool2": nn.MaxPool2d(2), "flat": nn.Flatten(),
        "fc1": nn.Linear(400, 120), "relu3": nn.ReLU(), "fc2": nn.Linear(120, 84), "relu4": nn.ReLU(),
        "fc3": nn.Linear(84, CLASSES),
    }.items():
        net.add_module(name, layer)
    return net


def of_resnet(channels):
    net = resnet18(num_classes=CLASSES)
    if channels != 3:
        net.conv1 = nn.Conv2d(channels, 64, 7, 2, 3, bias=False)
    return net


CASES = [
    ("conv4", [28, 28, 1], lambda: conv4(64, False, 1, 256)),
    ("conv4:12", [21, 30, 3], lambda: conv4(12, False, 3, 48)),
    ("conv4-pool", [28, 28, 1], lambda: conv4(32, True, 1, 32)),
    ("conv4-pool:8", [33, 47, 3], lambda: conv4(8, True, 3, 32)),
    ("lenet", [28, 28, 1], lenet),
    ("resnet18", [28, 28, 1], lambda: of_resnet(1)),
    ("resnet18", [84, 84, 3], lambda: of_resnet(3)),
]


def stored(name, picture, make):
    net = make().train()
    parameters = dict(net.named_parameters())
    directions = []
    for number, (label, parameter) in enumerate(parameters.items()):
        values = drawn(parameter.numel(), number)
        if parameter.dim() > 1:
            inputs = parameter.numel() // parameter.shape[0]
            values = values * np.sqrt(24.0 / inputs)
        elif label.endswith("weight"):
            values = 1.0 + 0.2 * values
        else:
            values = 0.2 * values
        with torch.no_grad():
            parameter.copy_(torch.tensor(values).reshape(parameter.shape))
        directions.append(torch.tensor(drawn(parameter.numel(), 1000 + number)).reshape(parameter.shape))
    rows, columns, channels = picture
    # Pixels follow each other as rows, columns, channels.
    pictures = torch.tensor(drawn(PICTURES * rows * columns * channels, 5000) + 0.5)
    pictures = pictures.reshape(PICTURES, rows, columns, channels).permute(0, 3, 1, 2)
    labels = torch.arange(PICTURES) % CLASSES
    logits = net(pictures)
    loss = nn.functional.cross_entropy(logits, labels)
    values = list(parameters.values())
    gradients = torch.autograd.grad(loss, values, create_graph=True)
    along = sum((g * d).sum() for g, d in zip(gradients, directions))
    products = torch.autograd.grad(along, values, allow_unused=True)

    def figures(found):
        return [
            [part.norm().item(), (part * d).sum().item()]
            for part, d in zip((torch.zeros_like(d) if p is None else p for p, d in zip(found, directions)), directions)
        ]

    return {
        "network": name,
        "picture": picture,
        "names": list(parameters),
        "logits": logits.flatten().tolist(),
        "loss": loss.item(),
        "gradient": figures(gradients),
        "product": figures(products),
    }


print(json.dumps([stored(*case) for case in CASES], indent=1))
