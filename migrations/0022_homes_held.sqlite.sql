-- Here 0021 has made the column so that it is never null.
select 1;
