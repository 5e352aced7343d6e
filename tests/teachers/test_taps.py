import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from teacher_cases import CLASSES, SHAPE, SIGNATURE, tiny_vit, trained_module
from torch import nn

from automl_kd.core import UserError
from automl_kd.teachers import module_teacher, tokens_to_map


class TestTokens:
    @given(side=st.integers(1, 7), prefix=st.integers(0, 20), width=st.integers(1, 4))
    def test_patches_keep_their_places_and_the_prefix_is_dropped(self, side, prefix, width):
        prefix = min(prefix, 2 * side)  # one more and the square would be larger
        grid = torch.randn(2, width, side, side)
        tokens = torch.cat([torch.full((2, prefix, width), torch.nan), grid.flatten(2).transpose(1, 2)], dim=1)
        assert torch.equal(tokens_to_map(tokens), grid)


class TestPaths:
    def test_any_layer_of_a_student_can_be_tapped(self):
        module = trained_module()
        teacher = module_teacher(module, SIGNATURE)
        images = torch.randn(5, *SHAPE)
        outputs = teacher.outputs(images, ["stem.0.0", "stage2"])
        with torch.no_grad():
            torch.testing.assert_close(outputs.maps["stem.0.0"], module.stem[0][0](images))
            torch.testing.assert_close(outputs.logits, module(images))
        assert teacher.feature_shapes(["stem.0.0", "stage3"]) == {"stem.0.0": (4, 8, 8), "stage3": (16, 2, 2)}

    def test_a_map_is_what_the_layer_returned_though_the_next_one_writes_into_it(self):
        class Residual(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv, self.relu = nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(inplace=True)
                self.norm, self.classifier = nn.BatchNorm2d(4), nn.Linear(4, CLASSES)

            def forward(self, images):
                features = self.norm(self.conv(images))
                features += images
                return self.classifier(self.relu(features).mean(dim=(2, 3)))

        module = Residual().eval()
        images = torch.randn(3, *SHAPE)
        maps = module_teacher(module, SIGNATURE).outputs(images, ["norm", "conv"]).maps
        with torch.no_grad():
            torch.testing.assert_close(maps["conv"], module.conv(images))
            torch.testing.assert_close(maps["norm"], module.norm(module.conv(images)))

    def test_a_vector_is_a_map_of_one_pixel(self):
        teacher = module_teacher(trained_module(), SIGNATURE)
        assert teacher.feature_shapes(["head.0.linear"]) == {"head.0.linear": (CLASSES, 1, 1)}

    def test_an_unknown_path_is_told_with_the_stages_and_its_neighbours(self):
        teacher = module_teacher(trained_module(), SIGNATURE)
        with pytest.raises(UserError, match=r"unknown teacher stage 'stage2\.0\.body\.9'"):
            teacher.feature_shapes(["stage2.0.body.9"])
        with pytest.raises(UserError) as caught:
            teacher.outputs(torch.randn(2, *SHAPE), ["stage2.0.body.9"])
        message = str(caught.value)
        assert "unknown teacher stage 'stage2.0.body.9'; stages: stage1, stage2, stage3; paths near it: " in message
        assert "stage2.0.body.0" in message
        assert len(message) < 200

    def test_a_deep_network_does_not_list_all_its_stages(self):
        class Deep(nn.Module):
            def __init__(self):
                super().__init__()
                self.layers = nn.ModuleList(nn.Linear(8, 8) for _ in range(60))
                self.classifier = nn.Linear(8, CLASSES)

            def forward(self, images):
                tokens = images[:, 0]
                for layer in self.layers:
                    tokens = layer(tokens)
                return self.classifier(tokens.mean(dim=1))

        teacher = module_teacher(Deep(), SIGNATURE)
        assert len(teacher.stage_names()) == 60
        with pytest.raises(UserError, match=r"stages: layers.0, layers.1, …, layers.58, layers.59$"):
            teacher.outputs(torch.randn(2, *SHAPE), ["zzz"])


class TestTransformer:
    def test_its_stages_are_its_blocks_and_their_tokens_are_maps(self):
        module = tiny_vit()
        teacher = module_teacher(module, SIGNATURE)
        assert teacher.feature_shapes() == {f"blocks.{index}": (8, 4, 4) for index in range(3)}
        images = torch.randn(3, *SHAPE)
        first = teacher.outputs(images, ["blocks.0"]).maps["blocks.0"]
        with torch.no_grad():
            patches = module.patches(images).flatten(2).transpose(1, 2)
            tokens, _ = module.blocks[0](torch.cat([module.prefix.expand(3, -1, -1), patches], dim=1))
        assert torch.equal(first[:, :, 1, 2], tokens[:, 1 + 4 * 1 + 2])

    def test_torch_s_own_encoder_is_found_too(self):
        class Encoder(nn.Module):
            def __init__(self):
                super().__init__()
                self.patches = nn.Conv2d(1, 8, 2, 2)
                layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
                self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
                self.classifier = nn.Linear(8, CLASSES)

            def forward(self, images):
                return self.classifier(self.encoder(self.patches(images).flatten(2).transpose(1, 2)).mean(dim=1))

        teacher = module_teacher(Encoder(), SIGNATURE)
        assert teacher.feature_shapes() == {"encoder.layers.0": (8, 4, 4), "encoder.layers.1": (8, 4, 4)}
        assert teacher.head() is not None  # it pools the patches by their mean

    def test_queries_and_keys_by_head_are_no_resolutions(self):
        class Attention(nn.Module):
            def __init__(self):
                super().__init__()
                self.norm = nn.LayerNorm(4)

            def forward(self, tokens):
                by_head = self.norm(tokens.unflatten(2, (2, 4)).transpose(1, 2))
                return tokens + by_head.transpose(1, 2).flatten(2)

        class Network(nn.Module):
            def __init__(self):
                super().__init__()
                self.patches, self.classifier = nn.Conv2d(1, 8, 2, 2), nn.Linear(8, CLASSES)
                self.blocks = nn.Sequential(Attention(), Attention())

            def forward(self, images):
                return self.classifier(self.blocks(self.patches(images).flatten(2).transpose(1, 2)).mean(dim=1))

        assert module_teacher(Network(), SIGNATURE).stage_names() == ("blocks.0", "blocks.1")

    def test_logits_may_come_in_an_object(self):
        class Answer(dict):
            logits = property(lambda self: self["logits"])

        class Wrapped(nn.Module):
            def __init__(self):
                super().__init__()
                self.network = tiny_vit()

            def forward(self, images):
                return Answer(logits=self.network(images))

        images = torch.randn(2, *SHAPE)
        expected = module_teacher(tiny_vit(), SIGNATURE).outputs(images).logits
        assert torch.equal(module_teacher(Wrapped(), SIGNATURE).outputs(images).logits, expected)
