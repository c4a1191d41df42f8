"""Stop words: the closed-class words of a language, which are in every text and say nothing about it.

Folded as the analysis folds (no accents). Contractions are listed as they are written. A language that is not here has
none.
"""

from __future__ import annotations

from typing import Final

_ENGLISH: Final = """
a an the and or but nor so if then else than that this these those there here it its itself he him his himself she her
hers herself they them their theirs themselves i me my mine myself we us our ours ourselves you your yours yourself
yourselves who whom whose which what where when why how is am are was were be been being do does did doing done have has
had having will would shall should can could may might must ought of in on at by for with about against between into
through during before after above below to from up down out off over under again further once as until while because
all any both each few more most other some such no not only own same too very just also am's
i'm you're he's she's it's we're they're i've you've we've they've i'd you'd he'd she'd we'd they'd i'll you'll he'll
she'll we'll they'll isn't aren't wasn't weren't hasn't haven't hadn't doesn't don't didn't won't wouldn't shan't
shouldn't can't cannot couldn't mustn't let's that's who's what's here's there's when's where's why's how's
"""
_GERMAN: Final = """
der die das den dem des ein eine einer eines einem einen und oder aber als wenn dass ob weil ich du er sie es wir ihr
mich dich sich uns euch mir dir ihm ihn ihnen mein dein sein unser euer kein keine nicht ist sind war waren bin bist
hat haben hatte hatten wird werden wurde wurden kann konnen soll sollen muss mussen in im an am auf aus bei mit nach
von vom zu zum zur uber unter vor fur durch um auch nur noch schon so sehr wie was wer wo wann hier da dort dieser diese
dieses jeder jede jedes man
"""
_FRENCH: Final = """
le la les l un une des du de d et ou mais ni si que qui quoi dont ou je tu il elle on nous vous ils elles me te se lui
leur leurs mon ma mes ton ta tes son sa ses notre nos votre vos ce cet cette ces est sont etait etre ete a ont avait
avoir ai as en dans sur sous par pour avec sans vers chez ne pas plus tres aussi comme au aux y c'est n'est qu s
"""
_SPANISH: Final = """
el la los las un una unos unas y o pero ni si que quien cual de del al a en con por para sin sobre entre hasta desde yo
tu el ella nosotros vosotros ellos ellas me te se nos os le les lo mi mis su sus este esta estos estas ese esa eso es
son era eran fue ser ha han habia haber no mas muy ya como
"""
_ITALIAN: Final = """
il lo la i gli le un uno una e o ma ne se che chi cui di del della dei delle da dal dalla in nel nella con su sul sulla
per tra fra io tu lui lei noi voi loro mi ti si ci vi mio tuo suo questo questa questi queste e sono era erano essere ha
hanno aveva avere non piu molto anche come a al alla
"""
_PORTUGUESE: Final = """
o a os as um uma uns umas e ou mas nem se que quem qual de do da dos das em no na nos nas com por para sem sobre entre
ate desde eu tu ele ela nos vos eles elas me te se lhe meu minha seu sua este esta isto esse essa isso e sao era eram
foi ser tem tinha ter ha nao mais muito ja como ao aos
"""
_DUTCH: Final = """
de het een en of maar als dan dat die deze dit er hier daar ik jij je hij zij ze wij we jullie u mij me jou hem haar ons
hen hun mijn jouw zijn is was waren ben bent heeft hebben had hadden wordt worden werd kan kunnen zal zullen moet moeten
in op aan van voor met bij naar uit over onder door om te niet geen ook nog al wel zo heel hoe wat wie waar wanneer
"""

STOP_WORDS: Final[dict[str, frozenset[str]]] = {
    "english": frozenset(_ENGLISH.split()),
    "german": frozenset(_GERMAN.split()),
    "french": frozenset(_FRENCH.split()),
    "spanish": frozenset(_SPANISH.split()),
    "italian": frozenset(_ITALIAN.split()),
    "portuguese": frozenset(_PORTUGUESE.split()),
    "dutch": frozenset(_DUTCH.split()),
}
