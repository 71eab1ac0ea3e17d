"""Words in the names of columns in Spanish, Portuguese, French and German, and in Chinese written in letters.

Accents are taken off before a name is compared.
"""

from __future__ import annotations

NUMBER = r"\b(num|nro|numero|no|id|cve|clave|cod|codigo|nr)"
OF_LOANS = (
    r"(sol|solicitud|credito|cred|prestamo|prest|contrato|operacion|oper|expediente|proposta|emprestimo|pret|dossier"
    r"|contrat|demande|kredit|antrag|vertrag|darlehen)"
)
OF_BORROWERS = r"(cte|cli|cliente|acreditado|deudor|titular|socio|tomador|mutuario|client|emprunteur|kunde)"

LOAN_ID = (
    rf"{NUMBER} (de |do |du )?{OF_LOANS}\b|\b{OF_LOANS} (id|num|numero|no|nr|cod)\b|\bfolio\b"
    r"|\b(kredit|vertrags?|antrags?|darlehens?) ?(nr|nummer|id)\b"
    r"|\b(jieju|hetong|jinjian|daikuan|shenqing) ?(hao|bianhao|id)\b"
)
BORROWER_ID = (
    rf"{NUMBER} (de |do |du )?{OF_BORROWERS}\b|\b{OF_BORROWERS} (id|num|numero|no|nr|cod)\b|^{OF_BORROWERS}$"
    r"|\bkunden ?(nr|nummer|id)\b|\bkehu ?(hao|bianhao|id)\b|\b(cpf|cnpj|rfc|curp|dni|nif|rut)\b"
)
DAY = r"\b(fec|fecha|data|datum|jour|tag|riqi|nacim\w*|nasc\w*|naiss\w*|geburt\w*)\b|datum$"
APPLIED = r"\b(sol|solicitud|proposta|pedido|demande|antrag\w*|shenqing)\b"
OPENED = (
    r"\b(desembolso|otorgamiento|apertura|formalizacion|concesion|liberacao|contratacao|deblocage|octroi|auszahlung\w*"
    r"|fangkuan)\b"
)
AMOUNT = (
    rf"\b(monto|mto|importe|imp|valor|montant|betrag) (de |del |do |du )?{OF_LOANS}\b"
    r"|^(monto|mto|importe|montant|betrag)$"
    r"|\b(kredit|darlehens)betrag\b|\b(daikuan|fangkuan|jiekuan) ?jine\b|\b(monto|importe) (solicitado|financiado)\b"
)
TERM = r"\b(plazo|plz|prazo|duree|laufzeit|qixian)\b"
CURRENCY = r"\b(moneda|moeda|devise|waehrung|wahrung|bizhong)\b"

OUTCOME = (
    r"\b(impagos?|impagad[oa]s?|incumpl\w*|inadimpl\w*|moros[oa]s?|impayes?|defaillan\w*|defaut|ausfall\w*|notleidend"
    r"|weiyue|huaizhang|yuqi ?biaozhi)\b"
)
EARLIER = (
    r"\b(ant|anterior\w*|previ[oa]s?|ult|ultim\w*|pasad[oa]s?|passad[oa]s?|precedent\w*|frueher\w*|letzte\w*|lishi)\b"
)
BAD_TEXT = r"\b(impag|incumpl|moros|inadimpl|castigad|vencid|impaye|ausgefallen|malo|mau|weiyue|yuqi)"
GOOD_TEXT = (
    r"\b(pagad[oa]|al corriente|cumplid[oa]|adimplente|liquidad[oa]|bueno|bom|rembourse|bezahlt|gut|zhengchang)\b"
)
NOT_BAD = r"\b(no|sin|sem|nao|kein\w*|pas|nicht) (de |d')?(impag|incumpl|mora|moros|inadimpl|ausfall|impaye|vencid)"
YES = ("s", "si", "sí", "sim", "oui", "ja", "j", "shi", "you", "1,0")
NO = ("não", "nao", "non", "nein", "fou", "wu", "0,0")
AFTERWARDS = (
    r"\b(recuper\w*|castig\w*|quebranto|mora|moratori\w*|recouvr\w*|inkasso|beitreib\w*|hexiao|huishou|cuishou|jieqing)\b"
    r"|\b(mto|monto|importe|imp|valor) rec\b|\bult\w* (pag\w*|pgto|abono)\b|\b(dernier|letzte\w*) (paiement|zahlung)\b"
)
PRICE = r"\b(tasa|taxa|taux|zins\w*|interes\w*|juros|lilv|puntaje)\b"
WILLINGNESS = (
    r"\b(atr|atraso\w*|mora|buro|consultas?|cons|antecedentes?|cred prev|retards?|incidents?|verzug\w*|schufa"
    r"|rueckstand\w*|yuqi|zhengxin|chaxun)\b"
)
ABILITY = (
    r"\b(ing|ingresos?|gtos?|gastos?|egresos?|salario|sueldo|nomina|cuota|renda|rendimento|despesas?|parcela|prestacao"
    r"|revenus?|salaire|charges|mensualite|einkommen\w*|gehalt|ausgaben|rate hoehe|shouru|zhichu|yuegong|fuzhai)\b"
)
MONEY = rf"{ABILITY}|\b(mto|montos?|importes?|saldo|valor|montant|solde|betrag|kontostand|jine|yue)\b"
MONTHS = r"\b(mes|meses|mois|monate)\b|" + TERM
DAYS = r"\b(dias|jours|tage|tianshu|max atr)\b"
COUNTED = r"\b(cantidad|cant|depend\w*|dependientes|hijos|quantidade|qtd|nombre de|anzahl|cishu|shuliang)\b"
YEAR = r"\b(anio|annee|jahr|nianfen)\b"
PERSONAL = (
    r"\b(nombres?|apellidos?|telefono|celular|correo|direccion|calle|domicilio|nome|endereco|cep|nom|prenom|adresse"
    r"|vorname|nachname|strasse|plz ort|xingming|shouji|dianhua|dizhi)\b"
)
LONE_FILE = r"cartera|creditos?|prestamos|solicitud|carteira|emprestimos|prets|kredite|antraege|daikuan|jieju"
SEX = r"\b(sexo|sexe|genero|geschlecht|xingbie)\b"
AGE = r"\b(edad|idade|alter|nianling)\b"
MARITAL = (
    r"\b(estado civil|edo civ\w*|est civ\w*|etat civil|situation (familiale|matrimoniale)|familienstand|hunyin\w*)\b"
)
