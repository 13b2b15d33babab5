"""Chinese (Mandarin, simplified): measure words, modifiers before the noun, no spaces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from limner.data.world.facts import Backdrop, Count, Exists, Fact, Kind, Located, Related, Written
from limner.data.world.languages.language import Language, is_none, join, split_backdrop


class Noun(NamedTuple):
    word: str
    measure: str


_NUMBERS = ("零", "一", "两", "三", "四", "五", "六", "七", "八", "九", "十", "十一", "十二")
_COLOURS = {
    "red": "红色", "orange": "橙色", "yellow": "黄色", "green": "绿色", "blue": "蓝色", "purple": "紫色",
    "pink": "粉色", "brown": "棕色", "black": "黑色", "white": "白色", "grey": "灰色", "teal": "蓝绿色",
    "navy": "藏青色", "maroon": "酒红色", "olive": "橄榄色", "beige": "米色", "turquoise": "青色",
    "magenta": "洋红色", "lavender": "淡紫色", "gold": "金色", "lime": "黄绿色", "silver": "银色",
}  # fmt: skip


class Chinese(Language):
    code = "zh"
    between = ""
    vague = ("一张图片", "一些东西", "某种图像", "一幅漂亮的画", "图形")
    lexicon: ClassVar = {name: (word,) for name, word in _COLOURS.items()} | {
        "object": (Noun("图形", "个"), Noun("物体", "个")),
        "circle": (Noun("圆形", "个"), Noun("圆盘", "个")),
        "square": (Noun("正方形", "个"), Noun("方块", "个")),
        "triangle": (Noun("三角形", "个"),),
        "star": (Noun("星星", "颗"), Noun("五角星", "颗")),
        "hexagon": (Noun("六边形", "个"),),
        "cross": (Noun("十字形", "个"), Noun("加号", "个")),
        "ring": (Noun("圆环", "个"),),
        "heart": (Noun("爱心", "颗"),),
        "diamond": (Noun("菱形", "个"),),
        "crescent": (Noun("月牙", "弯"), Noun("新月", "弯")),
        "oval": (Noun("椭圆形", "个"),),
        "pentagon": (Noun("五边形", "个"),),
        "arrow": (Noun("箭头", "个"),),
        "drop": (Noun("水滴", "滴"),),
        "bolt": (Noun("闪电", "道"),),
        "trapezoid": (Noun("梯形", "个"),),
        "semicircle": (Noun("半圆形", "个"),),
        "hourglass": (Noun("沙漏", "个"),),
        "solid": ("纯色的",),
        "striped": ("带条纹的", "条纹的"),
        "dotted": ("带圆点的", "带斑点的"),
        "checkered": ("带方格的", "方格的"),
        "zigzag": ("带锯齿纹的",),
        "latticed": ("带网格的",),
        "ringed": ("带圆圈的",),
        "small": ("小",),
        "large": ("大",),
        "left of": ("左边", "左侧"),
        "right of": ("右边", "右侧"),
        "above": ("上方", "上面"),
        "below": ("下方", "下面"),
        "top left": ("左上方", "左上角"),
        "top": ("顶部",),
        "top right": ("右上方", "右上角"),
        "left": ("左边",),
        "middle": ("正中间", "中央"),
        "right": ("右边",),
        "bottom left": ("左下方", "左下角"),
        "bottom": ("底部",),
        "bottom right": ("右下方", "右下角"),
        "plain": ("纯{}背景",),
        "gradient": ("{}渐变背景",),
        "grainy": ("带颗粒的{}背景",),
        "tiled": ("带瓷砖纹的{}背景",),
        "rippled": ("带波纹的{}背景",),
        "cloudy": ("带云纹的{}背景",),
        "frame": ("{}", "{}", "图中有{}", "画面上有{}", "这里有{}", "一张图，上面有{}", "一幅画，画着{}"),
        "there is": ("图中有{}。", "画面上有{}。", "可以看到{}。"),
        "where": ("图的{place}有{thing}。", "{thing}在图的{place}。"),
        "how": ("{thing}在{other}的{direction}。", "{other}的{direction}有{thing}。"),
    }  # fmt: skip

    def phrase(self, facts: Sequence[Fact]) -> str:
        things, backdrops = split_backdrop(facts)
        grounds = [self._noun_phrase(fact) for fact in backdrops]
        if not things:
            return join(grounds, "、", "和")
        there = [self._noun_phrase(fact) for fact in things if not is_none(fact)]
        absent = [self._noun_phrase(fact) for fact in things if is_none(fact)]
        parts = [self.way["frame"].format(join(there, "、", "和"))] if there else []
        parts += ["没有" + join(absent, "、", "和")] if absent else []
        return "，".join(parts + ["背景是" + ground.removesuffix("背景") for ground in grounds])

    def sentence(self, fact: Fact) -> str:
        match fact:
            case Located(kind, place):
                return self.way["where"].format(thing=self._a(kind), place=self.way[place])
            case Related(subject, direction, other):
                return self.way["how"].format(
                    thing=self._a(subject), direction=self.way[direction], other=self._a(other)
                )
            case Count(_, 0):
                return f"图中没有{self._noun_phrase(fact)}。"
            case Count(kind, number):
                return f"图中正好有{self._counted(kind, number)}。"
            case Backdrop():
                return f"背景是{self._noun_phrase(fact).removesuffix('背景')}" + ("。" if fact.texture else "的。")
            case Written(word):
                return f"图中写着“{word}”。"
            case _:
                return self.way["there is"].format(self._noun_phrase(fact))

    def _noun_phrase(self, fact: Fact) -> str:
        match fact:
            case Exists(kind):
                return self._a(kind)
            case Count(kind, 0):
                return self._noun(kind)
            case Count(kind, number):
                return ("正好" if number == 1 else "") + self._counted(kind, number)
            case Located(kind, place):
                return f"{self.way[place]}的{self._a(kind)}"
            case Related(subject, direction, other):
                return f"{self._a(other)}{self.way[direction]}的{self._a(subject)}"
            case Backdrop(colour, texture):
                return (self.way[texture] if texture else "{}背景").format(self.way[colour])
            case Written(word):
                return f"文字“{word}”"

    def _a(self, kind: Kind) -> str:
        return self._counted(kind, 1)

    def _counted(self, kind: Kind, number: int) -> str:
        """Number, measure word, noun."""
        word = _NUMBERS[number] if number < len(_NUMBERS) else str(number)
        return f"{word}{self.way[kind.shape or 'object'].measure}{self._noun(kind)}"

    def _noun(self, kind: Kind) -> str:
        """The noun after its pattern, colour and size."""
        words = [self.way[word] for word in (kind.pattern, kind.colour, kind.size) if word]
        return "".join([*words, self.way[kind.shape or "object"].word])
