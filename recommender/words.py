"""Word lists: the words that say nothing, and forms that no rule covers."""

from __future__ import annotations

_ENGLISH = """
a about above across after again against all almost along already also although always am among an and
another any are around as at away be became because become becomes been before being below between both but
by can cannot could did do does doing done down due during each either else enough et even ever every few
first for from further get give given gives had has have having he hence her here him his how however i if
in indeed instead into is it its itself just last least less let like made mainly make makes many may me
might more moreover most much must my namely near neither nevertheless no nor not now of off often on once
one only onto or other others our ours out over own per perhaps quite rather really same second see seem
seems several shall she should since so some still such than that the their them themselves then there
thereby therefore these they this those though three through throughout thus to together too toward towards
two under until up upon us use used uses using various very via was we well were what whatever when where
whereas whereby wherein whether which while who whom whose why will with within without would yet you your
al eg ie etc vs
"""
_CHINESE = """
的 了 和 在 是 与 对 及 等 为 中 以 将 于 并 从 或 该 其 这 而 被 把 通过 进行 一个 一种 我们
本文 提出 使用 基于
"""
STOPWORDS = frozenset((_ENGLISH + _CHINESE).split())

_FORMS = """
matrices:matrix vertices:vertex indices:index analyses:analysis hypotheses:hypothesis theses:thesis
syntheses:synthesis axes:axis bases:basis crises:crisis diagnoses:diagnosis prognoses:prognosis
simplices:simplex appendices:appendix phenomena:phenomenon criteria:criterion caches:cache niches:niche
mice:mouse lives:life proxies:proxy halves:half leaves:leaf
mlsys:mlsys series:series species:species modelling:modeling modelled:modeled
labelling:labeling labelled:labeled behaviour:behavior behaviours:behavior behavioural:behavioral
neighbour:neighbor neighbours:neighbor colour:color colours:color colouring:coloring
neighbourhood:neighborhood signalling:signaling neighbourhoods:neighborhood centre:center centres:center
fibre:fiber fibres:fiber catalogue:catalog catalogues:catalog analyse:analyze travelling:traveling
tumour:tumor tumours:tumor gpus:gpu cpus:cpu tpus:tpu npus:npu dpus:dpu ipus:ipu llms:llm vlms:vlm slms:slm
"""
IRREGULAR = dict(form.split(":") for form in _FORMS.split())
"""Plurals and British spellings with the form that counts."""
