"""What people say of a company in eleven languages: invented sentences, to see which of them an engine lets alone."""

from collections.abc import Mapping, Sequence

SENTENCES: Mapping[str, Sequence[str]] = {
    "ar": (
        "خدمة سيئة جدا ولا أحد يرد على الهاتف",
        "ضاعت حقيبتي مرة أخرى، لن أسافر معهم أبدا",
        "شكرا للطاقم، كانت رحلة رائعة",
        "متى تفتح أبواب المتجر يوم الجمعة؟",
        "انتظرت ثلاث ساعات في المطار دون أي معلومات",
    ),
    "de": (
        "Schon wieder ist mein Koffer weg und niemand geht ans Telefon",
        "Das ist der schlechteste Service, den ich je erlebt habe",
        "Vielen Dank an die nette Mitarbeiterin am Schalter",
        "Weiß jemand, wann der Laden am Samstag öffnet?",
        "Drei Stunden gewartet und dann wurde alles abgesagt",
    ),
    "es": (
        "Otra vez perdieron mi maleta y nadie contesta el teléfono",
        "Es el peor servicio que he tenido en mi vida",
        "Muchas gracias a la tripulación, todo fue estupendo",
        "¿Alguien sabe a qué hora abre la tienda el sábado?",
        "Llevamos tres horas esperando y no nos dicen nada",
    ),
    "fr": (
        "Ils ont encore perdu ma valise et personne ne répond au téléphone",
        "C'est le pire service que j'aie jamais vu",
        "Merci beaucoup à toute l'équipe, c'était parfait",
        "Quelqu'un sait à quelle heure ouvre le magasin samedi ?",
        "Trois heures d'attente et toujours aucune information",
    ),
    "hi": (
        "मेरा सामान फिर से खो गया और कोई फोन नहीं उठाता",
        "यह अब तक की सबसे खराब सेवा है",
        "पूरी टीम को बहुत धन्यवाद, सफर शानदार रहा",
        "दुकान शनिवार को कितने बजे खुलती है?",
        "तीन घंटे से इंतजार कर रहे हैं और कोई जवाब नहीं",
    ),
    "it": (
        "Hanno perso di nuovo la mia valigia e nessuno risponde al telefono",
        "È il peggior servizio che abbia mai visto",
        "Grazie mille a tutto il personale, viaggio bellissimo",
        "Qualcuno sa a che ora apre il negozio sabato?",
        "Aspettiamo da tre ore e non ci dicono niente",
    ),
    "ja": (
        "また荷物をなくされた、電話にも誰も出ない",
        "今まで受けた中で最悪のサービスだった",
        "スタッフの皆さん、本当にありがとうございました",
        "土曜日は何時に開店しますか？",
        "三時間も待たされて何の説明もない",
    ),
    "nl": (
        "Mijn koffer is alweer kwijt en niemand neemt de telefoon op",
        "Dit is de slechtste service die ik ooit heb gehad",
        "Heel erg bedankt aan het hele team, het was geweldig",
        "Weet iemand hoe laat de winkel zaterdag opengaat?",
        "We wachten al drie uur en niemand zegt iets",
    ),
    "pt": (
        "Perderam a minha mala outra vez e ninguém atende o telefone",
        "É o pior atendimento que já tive na vida",
        "Muito obrigado a toda a equipe, foi uma viagem ótima",
        "Alguém sabe a que horas a loja abre no sábado?",
        "Estamos esperando há três horas e ninguém explica nada",
    ),
    "ru": (
        "Опять потеряли мой чемодан, и никто не берёт трубку",
        "Это худшее обслуживание, которое я когда-либо видел",
        "Большое спасибо экипажу, всё было прекрасно",
        "Кто знает, во сколько магазин открывается в субботу?",
        "Ждём уже три часа, и никто ничего не объясняет",
    ),
    "tr": (
        "Bavulumu yine kaybettiler ve kimse telefona cevap vermiyor",
        "Hayatımda gördüğüm en kötü hizmet bu",
        "Bütün ekibe çok teşekkürler, harika bir yolculuktu",
        "Mağaza cumartesi günü saat kaçta açılıyor?",
        "Üç saattir bekliyoruz ve kimse bir şey söylemiyor",
    ),
}
"""By ISO 639-1 code: two angry ones, a grateful one, a question, a complaint without a telling word."""
